package dev.wclayer.benchmarks.task;

import com.github.luben.zstd.ZstdInputStream;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/** Path, size and checksum of every file: what all subjects of a job must agree on. */
public final class Contents {
    private Contents() {}

    /** The files in a tar. */
    public static List<String> ofTar(Path file, Packing packing) throws IOException {
        List<String> lines = new ArrayList<>();
        try (InputStream packed = new BufferedInputStream(Files.newInputStream(file), 1 << 20);
                TarArchiveInputStream tar = new TarArchiveInputStream(unpack(packed, packing), "UTF-8")) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                if (entry.isFile()) {
                    lines.add(line(entry.getName(), tar));
                }
            }
        }
        lines.sort(null);
        return lines;
    }

    /** The files in a folder, but only below its folder {@code Files}. */
    public static List<String> ofTree(Path root) throws IOException {
        List<String> lines = new ArrayList<>();
        try (Stream<Path> all = Files.walk(root.resolve("Files"))) {
            for (Path path : (Iterable<Path>) all.filter(Files::isRegularFile)::iterator) {
                try (InputStream in = Files.newInputStream(path)) {
                    lines.add(line(root.relativize(path).toString(), in));
                }
            }
        }
        lines.sort(null);
        return lines;
    }

    private static InputStream unpack(InputStream packed, Packing packing) throws IOException {
        return switch (packing) {
            case PLAIN -> packed;
            case GZIP -> new GZIPInputStream(packed, 1 << 16);
            case ZSTD -> new ZstdInputStream(packed).setContinuous(true);
        };
    }

    private static String line(String path, InputStream content) throws IOException {
        CheckedInputStream checked = new CheckedInputStream(content, new CRC32());
        byte[] buffer = new byte[1 << 16];
        long size = 0;
        for (int count = checked.read(buffer); count >= 0; count = checked.read(buffer)) {
            size += count;
        }
        return path + " " + size + " " + checked.getChecksum().getValue();
    }
}
