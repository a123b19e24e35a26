package dev.wclayer;

/**
 * Something that {@link WindowsDriver#verify} or {@link WindowsDriver#lint} found.
 *
 * @param id the layer
 * @param path the entry; empty for the layer as a whole
 * @param problem what is wrong, one line
 */
public record LayerProblem(String id, String path, String problem) {}
