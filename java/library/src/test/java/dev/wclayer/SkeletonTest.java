package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.wclayer.compress.WindowsLayerTarWriter;
import dev.wclayer.compress.WindowsMetadata;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is kept so that a tar comes back byte for byte: how large it is, and that it tells on what was changed. */
class SkeletonTest extends DriverTestCase {
    private static final long SEED = 1809L;
    private static final int FOLDERS = 150;
    private static final int FILES_EACH = 12;

    private final byte[] noise = new byte[1 << 20];

    @BeforeEach
    void fillNoise() {
        new Random(SEED).nextBytes(noise);
    }

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    /**
     * Like a Nano Server layer: a few thousand system files of some 80 KB in the middle, most of them also a name in WinSxS,
     * a handful of descriptors, times of their own at 100 ns.
     */
    private Path nanoServer() throws IOException {
        Path file = folder.resolve("nano.tar");
        Random random = new Random(SEED);
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16);
                WindowsLayerTarWriter tar = new WindowsLayerTarWriter(out, LayerTars.TIME)) {
            for (int i = 0; i < FOLDERS; i++) {
                String name = "amd64_microsoft-windows-" + Long.toHexString(random.nextLong())
                        + "_31bf3856ad364e35_10.0." + random.nextInt(30000);
                for (int k = 0; k < FILES_EACH; k++) {
                    int size = (int) Math.exp(6 + 8 * random.nextDouble()) % noise.length;
                    int at = random.nextInt(noise.length - size);
                    String path = "Files/Windows/WinSxS/" + name + "/file" + random.nextInt(1 << 20) + "-" + k + ".dll";
                    tar.file(path, size, content(at, size), metadata(random));
                    if (random.nextBoolean()) {
                        tar.hardLink("Files/Windows/System32/" + i + "-" + k + ".dll", path);
                    }
                }
            }
        }
        return file;
    }

    private InputStream content(int at, int size) {
        return new java.io.ByteArrayInputStream(noise, at, size);
    }

    private static WindowsMetadata metadata(Random random) {
        Instant written = LayerTars.TIME.minusNanos(100L * random.nextInt(1 << 30));
        return WindowsMetadata.ofFile(written)
                .withTimes(written.minusSeconds(random.nextInt(1000)), written, written, written.plusSeconds(5));
    }

    @Test
    void isSmallForATypicalLayer() throws IOException {
        Path tar = nanoServer();
        WindowsDriver driver = open();
        driver.applyDiff("nano", "", tar);
        long skeleton = Files.size(home.resolve("nano/.wclayer/skeleton"));
        int entries = driver.entries("nano", "").size();
        assertThat(entries).isGreaterThan(FOLDERS * FILES_EACH);
        assertThat(skeleton)
                .as("at most 2 %% of the tar, %d bytes", Files.size(tar))
                .isLessThan(Files.size(tar) / 50);
        assertThat((double) skeleton / entries).as("bytes an entry").isLessThanOrEqualTo(120);
        assertThat(home.resolve("nano/.wclayer/extra"))
                .satisfiesAnyOf(
                        extra -> assertThat(extra).doesNotExist(),
                        extra -> assertThat(extra).isEmptyFile());
    }

    @Test
    void aChangedPayloadIsNamed() throws IOException {
        byte[] large = new byte[5 << 20];
        new Random(SEED).nextBytes(large);
        byte[] tar = LayerTars.tar(writer -> {
            writer.file("Files/dir/small.txt", LayerTars.bytes("content"));
            writer.alternateStream("note", new byte[100_000]);
            writer.file("Files/large.bin", large);
        });
        WindowsDriver driver = open();
        driver.applyDiff("l", "", LayerTars.stream(tar));
        for (String path : new String[] {"Files/dir/small.txt", "Files/large.bin"}) {
            Path stored = home.resolve("l").resolve(path);
            flip(stored, Files.size(stored) - 1);
            assertNamed(driver, path);
            flip(stored, Files.size(stored) - 1);
            assertThat(read(driver.diff("l", ""))).isEqualTo(tar);
        }
        flip(home.resolve("l/.wclayer/streams"), 50_000);
        assertNamed(driver, "Files/dir/small.txt");
        flip(home.resolve("l/.wclayer/streams"), 50_000);
        Path gone = home.resolve("l/Files/dir/small.txt");
        Files.delete(gone);
        assertNamed(driver, "Files/dir/small.txt");
        // Of a file that grew Diff still has the bytes; verify tells.
        Files.writeString(gone, "content and more");
        assertThat(driver.verify("l")).extracting(LayerProblem::path).containsExactly("Files/dir/small.txt");
    }

    private static void assertNamed(WindowsDriver driver, String path) {
        assertThatThrownBy(() -> read(driver.diff("l", "")))
                .isInstanceOf(LayerException.class)
                .hasMessageContaining(path);
    }

    private static void flip(Path file, long at) throws IOException {
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            bytes.seek(at);
            int value = bytes.read();
            bytes.seek(at);
            bytes.write(value ^ 1);
        }
    }
}
