package dev.wclayer;

import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;

import dev.wclayer.internal.NativeCounters;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** How often Java calls the core: for each piece of a stream, never for a file. */
class NativeCallsTest extends DriverTestCase {
    private static final int LARGE = 3 << 20;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    @Test
    void aSmallLayerTakesAFewCalls() throws IOException {
        WindowsDriver driver = open();
        byte[] layer = files(10, 10 << 10);
        Path file = Files.write(folder.resolve("layer.tar"), layer);
        Map<String, Long> counted = new TreeMap<>();
        counted.put("apply of a stream", calls(() -> driver.applyDiff("stream", "", stream(layer))));
        counted.put("apply of a file", calls(() -> driver.applyDiff("path", "", file)));
        counted.put("diff", calls(() -> read(driver, "stream")));
        counted.put("diffSize", calls(() -> driver.diffSize("stream", null)));
        counted.put("exists", calls(() -> driver.exists("stream")));
        counted.put("changes", calls(() -> driver.changes("stream", null)));
        assertThat(counted)
                .isEqualTo(Map.of(
                        "apply of a stream", 4L,
                        "apply of a file", 7L,
                        "diff", 5L,
                        "diffSize", 1L,
                        "exists", 1L,
                        "changes", 4L));
    }

    @Test
    void filesTakeNone() throws IOException {
        WindowsDriver driver = open();
        byte[] few = files(2, LARGE);
        byte[] many = files(1_000, LARGE);
        // As long as each other, so that both come in as many pieces.
        byte[] padded = Arrays.copyOf(few, Math.max(few.length, many.length));
        byte[] also = Arrays.copyOf(many, padded.length);
        long ofFew = calls(() -> driver.applyDiff("few", "", stream(padded)));
        long ofMany = calls(() -> driver.applyDiff("many", "", stream(also)));
        assertThat(ofMany).isEqualTo(ofFew).isLessThan(20);
        assertThat(driver.verify()).isEmpty();
    }

    private static byte[] files(int count, int bytes) {
        return tar(tar -> {
            for (int i = 0; i < count; i++) {
                tar.file("Files/file-" + i, new byte[bytes / count]);
            }
        });
    }

    private static void read(WindowsDriver driver, String id) throws IOException {
        try (LayerDiff diff = driver.diff(id, null)) {
            diff.transferTo(OutputStream.nullOutputStream());
        }
    }

    private interface Call {
        void run() throws IOException;
    }

    private static long calls(Call call) throws IOException {
        long before = NativeCounters.calls();
        call.run();
        return NativeCounters.calls() - before;
    }
}
