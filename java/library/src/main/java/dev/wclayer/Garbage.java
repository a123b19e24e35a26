package dev.wclayer;

/**
 * Something that {@link WindowsDriver#gc} removed, or would remove.
 *
 * @param id the layer, or the name in the home of what was left over
 * @param reason why nothing uses it
 */
public record Garbage(String id, String reason) {}
