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
    /** Problems of the layers in a, one a line; none: all. */
    VERIFY(7),
    /** Problems of the layer a. */
    LINT(8),
    /** Base images. */
    IMAGES(9),
    /** Texts. */
    CLEANUP(10);

    final int number;

    Query(int number) {
        this.number = number;
    }
}
