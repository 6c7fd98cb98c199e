/** How far the clocks of a zone are ahead of UTC. Pure: the zones come with Node.js. */

const zones = new Map<string, Intl.DateTimeFormat>();

/** How far a zone's wall clock is ahead of UTC at an instant, ms; null for an unknown zone. */
export function offsetIn(zone: string, instant: number): number | null {
  let format = zones.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch {
      return null;
    }
    zones.set(zone, format);
  }
  const part = new Map(
    format.formatToParts(instant).map((each) => [each.type, Number(each.value)]),
  );
  const of = (type: Intl.DateTimeFormatPartTypes) => part.get(type) ?? 0;
  const wall = Date.UTC(
    of('year'),
    of('month') - 1,
    of('day'),
    of('hour'),
    of('minute'),
    of('second'),
  );
  return wall - Math.floor(instant / 1000) * 1000;
}

/** Whether an IANA name is known here. */
export function isZone(name: string): boolean {
  return offsetIn(name, 0) !== null;
}
