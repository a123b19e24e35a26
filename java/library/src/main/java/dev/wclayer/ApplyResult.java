package dev.wclayer;

import java.util.List;

/**
 * What became of an applied archive.
 *
 * @param sizeBytes sum of the sizes of its files below {@code Files} and {@code UtilityVM/Files}, counted as DiffSize does
 * @param diffId digest of the uncompressed tar, {@code sha256:} and 64 hex digits
 * @param blobDigest digest of the archive as it was given
 * @param blobBytes bytes of the archive as it was given
 * @param tarBytes bytes of the uncompressed tar
 * @param alreadyThere whether the layer was there with the expected digest, so that nothing was read or written
 * @param warnings what was odd about the archive, one line each, at most 100
 */
public record ApplyResult(
        long sizeBytes,
        String diffId,
        String blobDigest,
        long blobBytes,
        long tarBytes,
        boolean alreadyThere,
        List<String> warnings) {
    /**
     * Keeps a copy of the list.
     *
     * @param sizeBytes as in the record
     * @param diffId as in the record
     * @param blobDigest as in the record
     * @param blobBytes as in the record
     * @param tarBytes as in the record
     * @param alreadyThere as in the record
     * @param warnings as in the record
     */
    public ApplyResult {
        warnings = List.copyOf(warnings);
    }
}
