package dev.wclayer;

/**
 * A range of ids as Docker's InitFilter takes it. Windows layers have no numeric owners, so it has no effect here either.
 *
 * @param containerId first id inside
 * @param hostId first id outside
 * @param size how many ids
 */
public record IdMapping(long containerId, long hostId, long size) {}
