package dev.wclayer.benchmarks.data;

import dev.wclayer.compress.WindowsLayerTarWriter;
import dev.wclayer.compress.WindowsMetadata;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;

/** Writes a layer twice: as a Windows layer tar for us and as plain files for the peers. */
final class LayerMaker {
    private static final int BLOCK = 64 << 10;
    private static final Instant ROOT_TIME = Instant.parse("2024-05-08T08:12:44Z");

    private final byte[] block = new byte[BLOCK];
    private final List<byte[]> descriptors = Descriptors.all(1);
    private final Path tree;

    private LayerMaker(Path tree) {
        this.tree = tree;
    }

    /** Makes a generated set. */
    static void generate(DataSet set, Path tar, Path tree) throws IOException {
        new LayerMaker(tree).write(LayerPlan.of(set), tar);
    }

    private void write(List<LayerPlan.Entry> entries, Path tar) throws IOException {
        Files.createDirectories(tree.resolve("Files"));
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(tar), 1 << 20);
                WindowsLayerTarWriter writer = new WindowsLayerTarWriter(out, ROOT_TIME)) {
            for (LayerPlan.Entry entry : entries) {
                if (entry.folder()) {
                    Files.createDirectory(tree.resolve(entry.path()));
                    writer.folder(entry.path(), metadata(WindowsMetadata.ofFolder(entry.time()), entry));
                } else {
                    file(entry, writer);
                }
            }
        }
    }

    private void file(LayerPlan.Entry entry, WindowsLayerTarWriter writer) throws IOException {
        Path copy = tree.resolve(entry.path());
        try (OutputStream out = Files.newOutputStream(copy)) {
            InputStream content = new Content(new Payload(entry.kind(), entry.seed(), block), entry.size(), out);
            writer.file(entry.path(), entry.size(), content, metadata(WindowsMetadata.ofFile(entry.time()), entry));
        }
        Files.setLastModifiedTime(copy, FileTime.from(entry.time()));
    }

    private WindowsMetadata metadata(WindowsMetadata defaults, LayerPlan.Entry entry) {
        Instant time = entry.time();
        return defaults.withSecurityDescriptor(descriptors.get(entry.descriptor()))
                .withTimes(time.minusSeconds(86_400), time.plusSeconds(7), time, time.plusSeconds(3));
    }

    /** Packs files that exist, all into one folder. */
    static void pack(List<Path> files, String folder, Path tar, Path tree) throws IOException {
        Path target = tree.resolve(folder);
        Files.createDirectories(target);
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(tar), 1 << 20);
                WindowsLayerTarWriter writer = new WindowsLayerTarWriter(out, ROOT_TIME)) {
            writer.folder(folder);
            for (Path file : files) {
                byte[] bytes = Files.readAllBytes(file);
                String name = folder + "/" + file.getFileName();
                writer.file(name, bytes.length, new ByteArrayInputStream(bytes), WindowsMetadata.ofFile(ROOT_TIME));
                Files.write(tree.resolve(name), bytes);
            }
        }
    }

    /** The bytes of a file, copied to {@code copy} as they are read. */
    private final class Content extends InputStream {
        private final Payload payload;
        private final OutputStream copy;
        private long left;
        private int from;
        private int to;

        Content(Payload payload, long size, OutputStream copy) {
            this.payload = payload;
            this.left = size;
            this.copy = copy;
        }

        @Override
        public int read() throws IOException {
            return fill() ? block[from++] & 0xff : -1;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            if (length == 0) {
                return 0;
            }
            if (!fill()) {
                return -1;
            }
            int count = Math.min(length, to - from);
            System.arraycopy(block, from, target, offset, count);
            from += count;
            return count;
        }

        private boolean fill() throws IOException {
            if (from < to) {
                return true;
            }
            from = 0;
            to = (int) Math.min(block.length, left);
            left -= to;
            payload.next(to);
            copy.write(block, 0, to);
            return to > 0;
        }
    }
}
