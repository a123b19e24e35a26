package dev.wclayer.compress;

import dev.wclayer.LayerDiff;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.jspecify.annotations.Nullable;

/**
 * Windows metadata of tar entries: PAX records {@code MSWINDOWS.fileattr}, {@code .rawsd}, {@code .sd}, {@code .mountpoint},
 * {@code .xattr.*} and {@code LIBARCHIVE.creationtime}, as Docker and hcsshim write them.
 */
public final class WindowsTarEntries {
    private static final String ATTRIBUTES = "MSWINDOWS.fileattr";
    private static final String RAW_DESCRIPTOR = "MSWINDOWS.rawsd";
    private static final String SDDL = "MSWINDOWS.sd";
    private static final String MOUNT_POINT = "MSWINDOWS.mountpoint";
    private static final String EXTENDED_ATTRIBUTE = "MSWINDOWS.xattr.";

    private WindowsTarEntries() {}

    /**
     * Reads a Diff with Commons Compress. The Diff must not be compressed (the default), else wrap it first.
     *
     * @param diff the Diff, from its begin
     * @return its entries; closing this closes the Diff
     */
    public static TarArchiveInputStream entriesOf(LayerDiff diff) {
        return new TarArchiveInputStream(diff, StandardCharsets.UTF_8.name());
    }

    /**
     * Reads what Windows keeps of an entry.
     *
     * @param entry an entry as Commons Compress read it
     * @return its metadata; without {@code MSWINDOWS.fileattr} a folder has the attribute DIRECTORY and all else none
     * @throws IOException if a record is malformed; the message names the entry and the record
     */
    public static WindowsMetadata metadataOf(TarArchiveEntry entry) throws IOException {
        Map<String, String> records = entry.getExtraPaxHeaders();
        Map<String, byte[]> extendedAttributes = new LinkedHashMap<>();
        for (Map.Entry<String, String> record : records.entrySet()) {
            if (record.getKey().startsWith(EXTENDED_ATTRIBUTE)) {
                extendedAttributes.put(
                        record.getKey().substring(EXTENDED_ATTRIBUTE.length()),
                        base64(entry, record.getKey(), record.getValue()));
            }
        }
        String rawDescriptor = records.get(RAW_DESCRIPTOR);
        return new WindowsMetadata(
                attributesOf(entry, records.get(ATTRIBUTES)),
                rawDescriptor == null ? null : base64(entry, RAW_DESCRIPTOR, rawDescriptor),
                rawDescriptor == null ? records.get(SDDL) : null,
                instant(entry.getCreationTime()),
                instant(entry.getLastAccessTime()),
                entry.getLastModifiedTime().toInstant(),
                instant(entry.getStatusChangeTime()),
                records.containsKey(MOUNT_POINT),
                extendedAttributes);
    }

    /**
     * Gives an entry what Windows keeps. Write it with {@code setBigNumberMode(BIGNUMBER_POSIX)}, else the times are lost.
     *
     * @param metadata the metadata
     * @param entry the entry, not yet written
     */
    public static void setMetadata(WindowsMetadata metadata, TarArchiveEntry entry) {
        entry.addPaxHeader(ATTRIBUTES, Integer.toUnsignedString(metadata.attributes()));
        byte[] descriptor = metadata.securityDescriptor();
        if (descriptor != null) {
            entry.addPaxHeader(RAW_DESCRIPTOR, Base64.getEncoder().encodeToString(descriptor));
        }
        String sddl = metadata.sddl();
        if (sddl != null) {
            entry.addPaxHeader(SDDL, sddl);
        }
        if (metadata.mountPoint()) {
            entry.addPaxHeader(MOUNT_POINT, "1");
        }
        metadata.extendedAttributes()
                .forEach((name, value) -> entry.addPaxHeader(
                        EXTENDED_ATTRIBUTE + name, Base64.getEncoder().encodeToString(value)));
        entry.setLastModifiedTime(FileTime.from(metadata.write()));
        entry.setCreationTime(fileTime(metadata.creation()));
        entry.setLastAccessTime(fileTime(metadata.access()));
        entry.setStatusChangeTime(fileTime(metadata.change()));
    }

    private static int attributesOf(TarArchiveEntry entry, @Nullable String text) throws IOException {
        if (text == null) {
            return entry.isDirectory() ? WindowsMetadata.DIRECTORY : 0;
        }
        try {
            return Integer.parseUnsignedInt(text);
        } catch (NumberFormatException notANumber) {
            throw new IOException(entry.getName() + ": " + ATTRIBUTES + " is no number: '" + text + "'", notANumber);
        }
    }

    private static byte[] base64(TarArchiveEntry entry, String record, String text) throws IOException {
        try {
            return Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException notBase64) {
            throw new IOException(entry.getName() + ": " + record + " is not base64", notBase64);
        }
    }

    private static @Nullable Instant instant(@Nullable FileTime time) {
        return time == null ? null : time.toInstant();
    }

    private static @Nullable FileTime fileTime(@Nullable Instant time) {
        return time == null ? null : FileTime.from(time);
    }
}
