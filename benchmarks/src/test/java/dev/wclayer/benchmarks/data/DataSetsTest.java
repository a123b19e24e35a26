package dev.wclayer.benchmarks.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.task.Contents;
import dev.wclayer.benchmarks.task.Packing;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.Deflater;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DataSetsTest {
    @TempDir
    Path folder;

    /** Figures of two computers can only be compared if both measured the same bytes. */
    @Test
    void aSetIsTheSameOnEveryMachine() throws Exception {
        DataSets.Layer layer = new DataSets(folder).layer(DataSet.of("nano/1000"));
        assertThat(sha256(layer.tar())).isEqualTo("36a5562113f74c9e2bb04f0f17c150075f5bc8a17a13c07086afc9c0a8b495ee");
    }

    @Test
    void aSetIsMadeOnce() throws Exception {
        DataSets sets = new DataSets(folder);
        Path tar = sets.layer(DataSet.of("small/1000")).tar();
        var made = Files.getLastModifiedTime(tar);
        assertThat(sets.layer(DataSet.of("small/1000")).tar()).isEqualTo(tar);
        assertThat(Files.getLastModifiedTime(tar)).isEqualTo(made);
    }

    @ParameterizedTest
    @ValueSource(strings = {"nano/100", "core/500", "small/500", "million/1000"})
    void tarAndTreeHoldTheSameFiles(String name) throws Exception {
        DataSet set = DataSet.of(name);
        DataSets.Layer layer = new DataSets(folder).layer(set);
        List<String> packed = Contents.ofTar(layer.tar(), Packing.PLAIN);
        assertThat(packed).hasSize(set.files()).isEqualTo(Contents.ofTree(layer.tree()));
        assertThat(Contents.ofTar(layer.gzip(), Packing.GZIP)).isEqualTo(packed);
        assertThat(Contents.ofTar(layer.zstd(), Packing.ZSTD)).isEqualTo(packed);
        assertThat(bytes(packed)).isBetween(set.payloadBytes() * 99 / 100, set.payloadBytes() * 101 / 100);
    }

    /** What the numbers of the performance tables rest on. */
    @Test
    void aWindowsSetLooksLikeOne() throws Exception {
        DataSets.Layer layer = new DataSets(folder).layer(DataSet.of("nano/10"));
        Set<String> descriptors = new HashSet<>();
        TreeMap<Long, Integer> sizes = new TreeMap<>();
        int longNames = 0;
        int folders = 0;
        try (TarArchiveInputStream tar = new TarArchiveInputStream(Files.newInputStream(layer.tar()), "UTF-8")) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                descriptors.add(entry.getExtraPaxHeader("MSWINDOWS.rawsd"));
                assertThat(entry.getExtraPaxHeader("MSWINDOWS.fileattr")).isEqualTo(entry.isDirectory() ? "16" : "32");
                assertThat(entry.getCreationTime()).isNotNull();
                longNames += entry.getName().length() > 100 ? 1 : 0;
                folders += entry.isDirectory() ? 1 : 0;
                if (entry.isFile()) {
                    sizes.merge(entry.getSize(), 1, Integer::sum);
                }
            }
        }
        assertThat(descriptors).hasSizeBetween(100, 201);
        assertThat(longNames).as("names that need an extended header").isGreaterThan(300);
        assertThat(folders).isEqualTo(97);
        assertThat(sizes.lastKey()).as("a few are large").isGreaterThan(1 << 20);
        assertThat(sizes.firstKey()).as("some are small").isLessThan(2_000);
        assertThat((double) Files.size(layer.tar()) / Files.size(layer.gzip())).isBetween(2.3, 2.7);
    }

    @Test
    void executablesCompressAsRealOnesDo() {
        assertThat(ratio(Payload.Kind.EXECUTABLE)).isBetween(2.2, 2.6);
        assertThat(ratio(Payload.Kind.TEXT)).isBetween(4.0, 8.0);
        assertThat(ratio(Payload.Kind.NOISE)).isBetween(0.99, 1.01);
    }

    @Test
    void everySetIsALayerWithoutProblems() throws Exception {
        DataSets.Layer layer = new DataSets(folder).layer(DataSet.of("nano/100"));
        try (WindowsDriver driver =
                WindowsDriver.builder(folder.resolve("home")).open()) {
            driver.applyDiff("layer", "", layer.tar());
            assertThat(driver.lint("layer")).isEmpty();
            assertThat(driver.verify()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"micro", "nano/0", "nano/1001", "nano/x", "nano/", "pe/2", ""})
    void otherNamesAreRefused(String name) {
        assertThatThrownBy(() -> DataSet.of(name))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'" + name + "'");
    }

    private static double ratio(Payload.Kind kind) {
        byte[] block = new byte[64 << 10];
        Payload payload = new Payload(kind, 42, block);
        Deflater deflater = new Deflater();
        byte[] sink = new byte[256 << 10];
        int blocks = 32;
        for (int i = 0; i < blocks; i++) {
            payload.next(block.length);
            deflater.setInput(block);
            while (!deflater.needsInput()) {
                deflater.deflate(sink);
            }
        }
        deflater.finish();
        while (!deflater.finished()) {
            deflater.deflate(sink);
        }
        double ratio = (double) deflater.getBytesRead() / deflater.getBytesWritten();
        deflater.end();
        return ratio;
    }

    private static long bytes(List<String> contents) {
        long bytes = 0;
        for (String line : contents) {
            String beforeChecksum = line.substring(0, line.lastIndexOf(' '));
            bytes += Long.parseLong(beforeChecksum.substring(beforeChecksum.lastIndexOf(' ') + 1));
        }
        return bytes;
    }

    private static String sha256(Path file) throws IOException, java.security.NoSuchAlgorithmException {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[1 << 16];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                digest.update(buffer, 0, count);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
