/**
 * The limit of the ingest bench: a subscriber that counts messages and does nothing with them.
 * Says `{kind: 'ready'}` when subscribed and `{kind: 'done'}` after every so many messages.
 */
import mqtt from 'mqtt';

const [port = '', wanted = ''] = process.argv.slice(2);
const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
  protocolVersion: 5,
  clientId: 'counting-subscriber',
  clean: true,
  properties: { receiveMaximum: 1_000 },
});
let counted = 0;
client.on('message', () => {
  counted += 1;
  if (counted % Number(wanted) === 0) process.send?.({ kind: 'done' });
});
await client.subscribeAsync('counters/#', { qos: 1 });
process.on('disconnect', () => process.exit());
process.send?.({ kind: 'ready' });
