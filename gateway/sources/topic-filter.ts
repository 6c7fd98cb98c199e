/** MQTT topic filters (MQTT 3.1.1, 4.7). Pure. */

/** Whether the topic is one of those that the filter names: + is one level, # the rest. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const seen = topic.split('/');
  // Topics that a broker keeps for itself are meant only where they are named (4.7.2).
  if (topic.startsWith('$') && wanted[0] !== seen[0]) return false;
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true;
    if (i >= seen.length || (level !== '+' && level !== seen[i])) return false;
  }
  return wanted.length === seen.length;
}

/** Why a broker would refuse the filter, or null. `$share/GROUP/` may stand in front. */
export function filterFault(filter: string): string | null {
  const [share, group, ...rest] = filter.split('/');
  if (share === '$share') {
    if (group === undefined || group === '' || /[+#]/.test(group) || rest.join('/') === '') {
      return 'write a shared subscription as $share/GROUP/TOPIC';
    }
    return filterFault(rest.join('/'));
  }
  const levels = filter.split('/');
  const stray = levels.some(
    (level, i) =>
      (/[+#]/.test(level) && level.length > 1) || (level === '#' && i < levels.length - 1),
  );
  return stray ? '+ stands for one whole level, # for the last ones: a/+/c, a/#' : null;
}
