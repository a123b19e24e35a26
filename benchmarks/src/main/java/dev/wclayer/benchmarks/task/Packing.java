package dev.wclayer.benchmarks.task;

import dev.wclayer.Compression;

/** How a tar is packed. */
public enum Packing {
    /** Not at all. */
    PLAIN(Compression.NONE),
    /** As gzip. */
    GZIP(Compression.GZIP),
    /** As Zstandard. */
    ZSTD(Compression.ZSTD);

    private final Compression compression;

    Packing(Compression compression) {
        this.compression = compression;
    }

    /** The same for the API. */
    public Compression compression() {
        return compression;
    }
}
