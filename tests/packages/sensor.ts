/**
 * A sensor as a program of its own, to be run in the network of a booted Debian: `sensor.js TOPIC
 * MESSAGE…` tells its messages in their order and ends when each was acknowledged.
 */
import mqtt from 'mqtt';

const [topic = '', ...messages] = process.argv.slice(2);
const client = await mqtt.connectAsync('mqtt://127.0.0.1:1883');
for (const message of messages) await client.publishAsync(topic, message, { qos: 1 });
await client.endAsync();
