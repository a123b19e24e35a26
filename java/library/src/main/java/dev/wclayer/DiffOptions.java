package dev.wclayer;

import org.jspecify.annotations.Nullable;

/**
 * How a Diff is written. Immutable; each {@code with…} method gives a changed copy of {@link #DEFAULT}.
 *
 * @param format the kind of tar
 * @param compression how it is compressed
 * @param level compression level; 0 is the default of the kind
 * @param threads compression threads; 0 is one for each processor, at most 4
 * @param rebuild write the tar from the stored metadata although the bytes of the applied one are kept; for tests and
 *     support
 * @param digests whether the digests of the tar and of the compressed bytes are computed
 * @param progress hears of progress, or null
 * @param cancellation cancels the stream, or null
 */
public record DiffOptions(
        ArchiveFormat format,
        Compression compression,
        int level,
        int threads,
        boolean rebuild,
        boolean digests,
        @Nullable ProgressListener progress,
        @Nullable CancellationToken cancellation) {
    /** An OCI tar, not compressed. */
    public static final DiffOptions DEFAULT =
            new DiffOptions(ArchiveFormat.OCI, Compression.NONE, 0, 0, false, true, null, null);

    /**
     * A copy with another format.
     *
     * @param value the kind of tar
     * @return the copy
     */
    public DiffOptions withFormat(ArchiveFormat value) {
        return new DiffOptions(value, compression, level, threads, rebuild, digests, progress, cancellation);
    }

    /**
     * A copy with another compression, at its default level.
     *
     * @param value how the tar is compressed
     * @return the copy
     */
    public DiffOptions withCompression(Compression value) {
        return withCompression(value, 0);
    }

    /**
     * A copy with another compression and level.
     *
     * @param value how the tar is compressed
     * @param compressionLevel the level; 0 is the default of the kind
     * @return the copy
     */
    public DiffOptions withCompression(Compression value, int compressionLevel) {
        return new DiffOptions(format, value, compressionLevel, threads, rebuild, digests, progress, cancellation);
    }

    /**
     * A copy with another number of compression threads.
     *
     * @param value the number; 0 is one for each processor, at most 4
     * @return the copy
     */
    public DiffOptions withThreads(int value) {
        return new DiffOptions(format, compression, level, value, rebuild, digests, progress, cancellation);
    }

    /**
     * A copy that rebuilds the tar from the metadata, or not.
     *
     * @param value whether the kept bytes of the applied tar are ignored
     * @return the copy
     */
    public DiffOptions withRebuild(boolean value) {
        return new DiffOptions(format, compression, level, threads, value, digests, progress, cancellation);
    }

    /**
     * A copy with or without digests. Without, {@link LayerDiff} has "" in their place, and a Diff that is
     * not compressed takes about half the time.
     *
     * @param value whether they are computed
     * @return the copy
     */
    public DiffOptions withDigests(boolean value) {
        return new DiffOptions(format, compression, level, threads, rebuild, value, progress, cancellation);
    }

    /**
     * A copy with a progress listener.
     *
     * @param value hears of progress, on the reading thread
     * @return the copy
     */
    public DiffOptions withProgress(ProgressListener value) {
        return new DiffOptions(format, compression, level, threads, rebuild, digests, value, cancellation);
    }

    /**
     * A copy with a cancellation token.
     *
     * @param value cancels the stream
     * @return the copy
     */
    public DiffOptions withCancellation(CancellationToken value) {
        return new DiffOptions(format, compression, level, threads, rebuild, digests, progress, value);
    }
}
