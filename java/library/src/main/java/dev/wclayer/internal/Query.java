package dev.wclayer.internal;

/** The queries whose answer is a list of records; the numbers are shared with the native side. */
public enum Query {
    /** Pairs. */
    STATUS(1),
    /** Pairs of the layer a. */
    METADATA(2),
    /** Summaries of all layers. */
    LIST(3),
    /** Changes of the layer a against b. */
    CHANGES(4),
    /** Entries of the layer a at and below b. */
    ENTRIES(5),
    /** Everything of the entry b of the layer a: one record. */
    STAT(6),
    /** Problems of the layers in a, one a line; none: all. b is "quick" or null. */
    VERIFY(7),
    /** Problems of the layer a. */
    LINT(8),
    /** Base images. */
    IMAGES(9),
    /** Texts. */
    CLEANUP(10),
    /** Garbage, with the roots in a, one a line. b is "dry-run" or null. */
    GC(11);

    final int number;

    Query(int number) {
        this.number = number;
    }
}
