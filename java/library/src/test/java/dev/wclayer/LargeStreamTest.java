package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * P-rows of memory: a stream of many GiB takes no more of it than one of a few MiB. {@code WCLAYER_STREAM_GIB} says how
 * many (1; 20 in {@code ./build test extended}). In a process of its own, since the high-water mark is one of a process.
 */
class LargeStreamTest extends DriverTestCase {
    private static final long GIB = 1L << 30;
    private static final long LIMIT = 64L << 20;

    @Override
    Map<String, String> options() {
        return Map.of();
    }

    @Test
    void aStreamOfManyGibTakesNoMoreMemory() throws Exception {
        long size = Long.parseLong(System.getenv().getOrDefault("WCLAYER_STREAM_GIB", "1")) * GIB;
        Path work = home.resolveSibling("sparse");
        Path folder = Files.createDirectories(work.resolve("Files"));
        try (RandomAccessFile file =
                new RandomAccessFile(folder.resolve("large").toFile(), "rw")) {
            file.write(1);
            file.seek(size / 2);
            file.write(LayerTars.bytes("in the middle"));
            file.setLength(size);
        }
        Path tar = work.resolve("sparse.tar");
        Tools.run(work, "tar", "--sparse", "--format=posix", "-cf", tar.toString(), "Files");
        assertThat(Files.size(tar)).isLessThan(GIB / 1024);
        List<String> figures = ChildJvm.run(
                        ChildJvm.command(List.of(), ChildJvm.CLASSES, Reader.class, home.toString(), tar.toString()), 0)
                .lines()
                .toList();
        long plain = Long.parseLong(figures.get(0));
        assertThat(plain).as("bytes of the tar").isBetween(size, size + 16_384);
        assertThat(Long.parseLong(figures.get(1))).as("bytes of the gzip blob").isBetween(size / 2000, size / 100);
        assertThat(figures.get(2)).as("diffIDs of both").isEqualTo(figures.get(3));
        long highWater = Long.parseLong(figures.get(4));
        assertThat(highWater).as("native bytes at most").isBetween(1L << 20, LIMIT);
        System.out.printf("%d GiB: %d KiB of native memory at most%n", size / GIB, highWater / 1024);
    }

    /** X-rows: a million names take what a few take, and one record each on disk. */
    @Test
    void manyEmptyFilesTakeNoMoreMemory() throws Exception {
        int count = 50_000 * Integer.parseInt(System.getenv().getOrDefault("WCLAYER_STREAM_GIB", "1"));
        String highWater = ChildJvm.run(
                        ChildJvm.command(
                                List.of(), ChildJvm.CLASSES, Namer.class, home.toString(), Integer.toString(count)),
                        0)
                .strip();
        assertThat(Long.parseLong(highWater)).as("native bytes at most").isBetween(1L << 20, LIMIT);
        System.out.printf("%d empty files: %d KiB of native memory at most%n", count, Long.parseLong(highWater) / 1024);
    }

    /** Applies so many empty files, a thousand to a folder. */
    static final class Namer {
        private static final int FOLDER = 1_000;

        private Namer() {}

        public static void main(String[] arguments) throws IOException {
            int count = Integer.parseInt(arguments[1]);
            try (WindowsDriver driver = WindowsDriver.builder(Path.of(arguments[0]))
                    .option("durability", "none")
                    .open()) {
                driver.applyDiff("names", "", new Headers(count));
                driver.stat("names", name(count - 1)); // the last one is there
            }
            System.out.println(NativeMemory.now().highWaterBytes());
        }

        private static String name(int number) {
            return "Files/folder-" + number / FOLDER + "/file-" + number;
        }

        /** The tar of them, header by header. */
        private static final class Headers extends InputStream {
            private final int count;
            private int next;
            private byte[] block = {};
            private int at;

            Headers(int count) {
                this.count = count;
            }

            @Override
            public int read() {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
            }

            @Override
            public int read(byte[] buffer, int from, int length) {
                if (at == block.length) {
                    if (next > count) {
                        return -1;
                    }
                    byte[] whole = next == count ? RawTars.tar() : RawTars.tar(RawTars.file(name(next), ""));
                    block = next == count ? whole : Arrays.copyOf(whole, RawTars.BLOCK);
                    next++;
                    at = 0;
                }
                int given = Math.min(length, block.length - at);
                System.arraycopy(block, at, buffer, from, given);
                at += given;
                return given;
            }
        }
    }

    /** Applies the tar and reads its Diff, plain and packed. */
    static final class Reader {
        private Reader() {}

        public static void main(String[] arguments) throws IOException {
            try (WindowsDriver driver =
                    WindowsDriver.builder(Path.of(arguments[0])).open()) {
                driver.applyDiff("large", "", Path.of(arguments[1]));
                String[] digests = new String[2];
                long[] sizes = new long[2];
                DiffOptions rebuilt = DiffOptions.DEFAULT.withRebuild(true);
                List<DiffOptions> both = List.of(rebuilt, rebuilt.withCompression(Compression.GZIP));
                for (int i = 0; i < 2; i++) {
                    try (LayerDiff diff = driver.diff("large", null, both.get(i))) {
                        sizes[i] = diff.transferTo(OutputStream.nullOutputStream());
                        digests[i] = diff.diffId();
                    }
                }
                System.out.printf(
                        "%d%n%d%n%s%n%s%n%d%n",
                        sizes[0],
                        sizes[1],
                        digests[0],
                        digests[1],
                        NativeMemory.now().highWaterBytes());
            }
        }
    }
}
