import { expect, test } from 'vitest';
import { filterFault, topicMatches } from '../../../gateway/sources/topic-filter.ts';

test.each([
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/c', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a', false],
  ['a/+', 'a/b/c', false],
  ['+/b', '/b', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'a', true],
  ['#', 'a/b', true],
  ['#', '$SYS/uptime', false],
  ['$SYS/#', '$SYS/uptime', true],
])('the filter %s and the topic %s', (filter, topic, matches) => {
  expect(topicMatches(filter, topic)).toBe(matches);
});

test.each(['a/b#', '#/a', 'a/b+/c', '$share/#', '$share/g', '$share//a', '$share/g/a#'])(
  'the filter %s is refused',
  (filter) => {
    expect(filterFault(filter)).not.toBeNull();
  },
);

test.each(['#', 'a/+/c', 'a/#', '$share/group/a/#'])('the filter %s is taken', (filter) => {
  expect(filterFault(filter)).toBeNull();
});
