/** A sensor that speaks MQTT with a session that outlives its connection. */
import mqtt, { type MqttClient } from 'mqtt';
import type { Workspace } from './workspace.ts';

export async function mqttClient(
  workspace: Workspace,
  port: number,
  client_id: string,
): Promise<MqttClient> {
  const connected = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: client_id,
    clean: false,
    reconnectPeriod: 100,
  });
  workspace.onEnd(() => connected.endAsync(true));
  return connected;
}
