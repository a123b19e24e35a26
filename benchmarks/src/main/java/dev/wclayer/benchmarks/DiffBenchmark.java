package dev.wclayer.benchmarks;

import dev.wclayer.DiffOptions;
import dev.wclayer.LayerDiff;
import dev.wclayer.WindowsDriver;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How long does it take to turn a stored layer into a tar? Ours digests on the way; Commons Compress, tuned as its users
 * tune it (1 MiB buffers), writes the same files and digests nothing.
 */
@State(Scope.Benchmark)
@Fork(1)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 5, time = 2)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class DiffBenchmark {
    /** Who writes the tar. */
    public enum Subject {
        /** The same bytes as were applied, from the kept skeleton. */
        WCLAYER_REPLAY,
        /** Written from the stored metadata. */
        WCLAYER_REBUILD,
        /** The peer. */
        COMMONS_COMPRESS
    }

    /** Who writes. */
    @Param
    public Subject subject = Subject.WCLAYER_REPLAY;

    /** What. */
    @Param
    public DataSet layer = DataSet.MIXED;

    private Path home = Path.of("");
    private WindowsDriver driver = null;

    /**
     * Applies the layer, and compares what the subjects write.
     *
     * @throws IOException if a tar cannot be made or applied, or if outputs differ
     */
    @Setup
    public void setUp() throws IOException {
        home = Files.createTempDirectory("wclayer-bench");
        Path tar = home.resolve("layer.tar");
        layer.writeTar(tar);
        driver = WindowsDriver.builder(home.resolve("home"))
                .option("durability", "none")
                .open();
        driver.applyDiff("base", "", tar);
        List<String> expected = contents(Subject.WCLAYER_REPLAY);
        for (Subject other : Subject.values()) {
            if (!contents(other).equals(expected)) {
                throw new IOException(other + " writes something else");
            }
        }
    }

    /**
     * Removes what was made.
     *
     * @throws IOException if it cannot be removed
     */
    @TearDown
    public void tearDown() throws IOException {
        driver.close();
        try (Stream<Path> all = Files.walk(home)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    /**
     * The whole tar, thrown away.
     *
     * @return its length
     * @throws IOException if it cannot be written
     */
    @Benchmark
    public long writeDiff() throws IOException {
        Counter counter = new Counter();
        write(subject, counter);
        return counter.bytes;
    }

    private void write(Subject who, OutputStream out) throws IOException {
        if (who == Subject.COMMONS_COMPRESS) {
            writeByCommonsCompress(out);
            return;
        }
        DiffOptions options = DiffOptions.DEFAULT.withRebuild(who == Subject.WCLAYER_REBUILD);
        try (LayerDiff diff = driver.diff("base", null, options)) {
            diff.transferTo(out);
        }
    }

    private void writeByCommonsCompress(OutputStream out) throws IOException {
        Path root = home.resolve("home").resolve("base");
        byte[] buffer = new byte[1 << 20];
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(out, 1 << 20, "UTF-8");
                Stream<Path> all = Files.walk(root.resolve("Files"))) {
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            for (Path path : (Iterable<Path>) all.sorted()::iterator) {
                String name = root.relativize(path).toString();
                TarArchiveEntry entry = new TarArchiveEntry(path, name);
                tar.putArchiveEntry(entry);
                if (entry.isFile()) {
                    try (InputStream in = Files.newInputStream(path)) {
                        for (int count = in.read(buffer); count > 0; count = in.read(buffer)) {
                            tar.write(buffer, 0, count);
                        }
                    }
                }
                tar.closeArchiveEntry();
            }
        } catch (UncheckedIOException failure) {
            throw failure.getCause();
        }
    }

    /** Names, sizes and checksums of the files, sorted: what must agree. */
    private List<String> contents(Subject who) throws IOException {
        Path copy = home.resolve(who + ".tar");
        try (OutputStream out = Files.newOutputStream(copy)) {
            write(who, out);
        }
        List<String> lines = new ArrayList<>();
        try (TarArchiveInputStream tar =
                new TarArchiveInputStream(new BufferedInputStream(Files.newInputStream(copy), 1 << 20))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                if (entry.isFile()) {
                    CRC32 crc = new CRC32();
                    crc.update(tar.readAllBytes());
                    lines.add(entry.getName() + " " + entry.getSize() + " " + crc.getValue());
                }
            }
        }
        Files.delete(copy);
        lines.sort(null);
        return lines;
    }

    private static final class Counter extends OutputStream {
        private long bytes;

        @Override
        public void write(int b) {
            bytes++;
        }

        @Override
        public void write(byte[] data, int from, int length) {
            bytes += length;
        }
    }
}
