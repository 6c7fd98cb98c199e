/** How much of its log a gateway tells in one heartbeat; apart from the schema for the writer thread. */

export const epochs_max = 1_000;
/** Intervals of running totals. */
export const held_max = 1_000;
export const sensors_max = 1_000;
