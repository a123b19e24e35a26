package dev.wclayer;

import dev.wclayer.compress.WindowsLayerTarWriter;
import dev.wclayer.compress.WindowsTarEntries;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/** Layer tars for tests, made and read by Commons Compress: a peer, not our own code. */
final class LayerTars {
    static final Instant TIME = Instant.parse("2025-11-04T09:15:30.1234567Z");

    private LayerTars() {}

    static byte[] tar(Content content) {
        return tarAt(TIME, content);
    }

    static byte[] tarAt(Instant time, Content content) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (WindowsLayerTarWriter tar = new WindowsLayerTarWriter(bytes, time)) {
            content.into(tar);
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return bytes.toByteArray();
    }

    static byte[] gzip(byte[] content) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
            gzip.write(content);
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return bytes.toByteArray();
    }

    static InputStream stream(byte[] bytes) {
        return new ByteArrayInputStream(bytes);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String sha256(byte[] bytes) {
        try {
            return "sha256:"
                    + HexFormat.of()
                            .formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** What a tar says, without times: a line for each entry. */
    static List<String> describe(byte[] tar) {
        List<String> lines = new ArrayList<>();
        try (TarArchiveInputStream in = new TarArchiveInputStream(stream(tar), StandardCharsets.UTF_8.name())) {
            for (TarArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                String name = entry.getName().replaceFirst("/$", "");
                int attributes = WindowsTarEntries.metadataOf(entry).attributes();
                boolean descriptor = WindowsTarEntries.metadataOf(entry).securityDescriptor() != null;
                // The hives that a container's Diff is given are not of the container's making.
                String content = entry.isFile() && !name.startsWith("Hives/") ? sha256(in.readAllBytes()) : "";
                lines.add(String.format(
                        Locale.ROOT,
                        "%c %s %x %s %s %s",
                        (char) entry.getLinkFlag(),
                        name,
                        attributes,
                        descriptor ? "sd" : "-",
                        entry.getLinkName(),
                        content));
            }
        } catch (IOException malformed) {
            throw new UncheckedIOException(malformed);
        }
        return lines;
    }

    @FunctionalInterface
    interface Content {
        void into(WindowsLayerTarWriter tar) throws IOException;
    }
}
