package dev.wclayer;

/** How a Diff is compressed. ApplyDiff recognises all of them by content. */
public enum Compression {
    /** Not at all: the blob is the tar. */
    NONE(0),
    /** gzip. */
    GZIP(1),
    /** Zstandard. */
    ZSTD(2);

    final int number;

    Compression(int number) {
        this.number = number;
    }
}
