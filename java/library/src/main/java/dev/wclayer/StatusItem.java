package dev.wclayer;

/**
 * One line of {@link WindowsDriver#status()}.
 *
 * @param key what it is about
 * @param value what is so
 */
public record StatusItem(String key, String value) {}
