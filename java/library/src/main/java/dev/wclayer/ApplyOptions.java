package dev.wclayer;

import org.jspecify.annotations.Nullable;

/**
 * How an archive is applied. Immutable; each {@code with…} method gives a changed copy of {@link #DEFAULT}.
 *
 * @param expectedDiffId digest that the uncompressed tar must have ({@code sha256:…}), or null. With an expected digest a
 *     layer that is there already, with that digest and parent, is a success without a write
 * @param expectedBlobDigest digest that the archive as given must have, or null
 * @param osVersion {@code os.version} of the image the layer is from, or null. On the system backend a newer one than
 *     this host's is an {@link OsVersionMismatchException}; the portable store takes every one
 * @param progress hears of progress, or null
 * @param cancellation cancels the call, or null
 */
public record ApplyOptions(
        @Nullable String expectedDiffId,
        @Nullable String expectedBlobDigest,
        @Nullable String osVersion,
        @Nullable ProgressListener progress,
        @Nullable CancellationToken cancellation) {
    /** Any digest, no listener, not cancellable. */
    public static final ApplyOptions DEFAULT = new ApplyOptions(null, null, null, null, null);

    /**
     * A copy that expects a diffID.
     *
     * @param value digest of the uncompressed tar, {@code sha256:} and 64 hex digits
     * @return the copy
     */
    public ApplyOptions withExpectedDiffId(String value) {
        return new ApplyOptions(value, expectedBlobDigest, osVersion, progress, cancellation);
    }

    /**
     * A copy that expects a blob digest.
     *
     * @param value digest of the archive as given, {@code sha256:} and 64 hex digits
     * @return the copy
     */
    public ApplyOptions withExpectedBlobDigest(String value) {
        return new ApplyOptions(expectedDiffId, value, osVersion, progress, cancellation);
    }

    /**
     * A copy that tells what Windows the image is for.
     *
     * @param value {@code os.version} of the image's configuration, as {@code 10.0.20348.2402}
     * @return the copy
     */
    public ApplyOptions withOsVersion(String value) {
        return new ApplyOptions(expectedDiffId, expectedBlobDigest, value, progress, cancellation);
    }

    /**
     * A copy with a progress listener.
     *
     * @param value hears of progress, on the calling thread
     * @return the copy
     */
    public ApplyOptions withProgress(ProgressListener value) {
        return new ApplyOptions(expectedDiffId, expectedBlobDigest, osVersion, value, cancellation);
    }

    /**
     * A copy with a cancellation token.
     *
     * @param value cancels the call
     * @return the copy
     */
    public ApplyOptions withCancellation(CancellationToken value) {
        return new ApplyOptions(expectedDiffId, expectedBlobDigest, osVersion, progress, value);
    }
}
