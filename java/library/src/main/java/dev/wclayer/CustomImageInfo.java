package dev.wclayer;

import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/**
 * A base image of the central store (on Windows), or one registered with {@link WindowsDriver#addBaseImage}.
 *
 * @param id layer id: 64 hex digits made from the folder's name
 * @param name name of the image, for example {@code WindowsServerCore}
 * @param version version of the image, for example {@code 10.0.14300.1000}
 * @param path folder of the image
 * @param sizeBytes size of the image
 * @param createdTime when the image was made
 * @param osVersion first three parts of the version; empty if it has not four
 * @param osFeatures {@code win32k}, except for Nano Server
 */
public record CustomImageInfo(
        String id,
        String name,
        String version,
        Path path,
        long sizeBytes,
        Instant createdTime,
        String osVersion,
        List<String> osFeatures) {
    /**
     * Keeps a copy of the list.
     *
     * @param id as in the record
     * @param name as in the record
     * @param version as in the record
     * @param path as in the record
     * @param sizeBytes as in the record
     * @param createdTime as in the record
     * @param osVersion as in the record
     * @param osFeatures as in the record
     */
    public CustomImageInfo {
        osFeatures = List.copyOf(osFeatures);
    }
}
