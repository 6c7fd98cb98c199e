/**
 * Topics on which no device counts, of what is often found behind one wildcard: a bridge's own news,
 * descriptions of devices, who is there. Nobody pairs them, so they are no unknown device either.
 */
const housekeeping = [
  // Zigbee2MQTT: lists, log, requests and answers of the bridge, whatever its base topic.
  /^[^/]+(\/[^/]+)*\/bridge\/(state|info|devices|groups|definitions|extensions|converters|health|event|logging|log|config|(request|response)\/.+)$/,
  /\/availability$/,
  // Homie: what begins with $ describes a device, a node or a property.
  /^homie\/.+\/\$[a-z-]+(\/|$)/,
  // Discovery of Home Assistant.
  /^homeassistant\/.+\/config$/,
];

export function isHousekeeping(topic: string): boolean {
  return housekeeping.some((pattern) => pattern.test(topic));
}
