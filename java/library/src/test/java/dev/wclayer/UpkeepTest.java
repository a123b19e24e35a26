package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.gzip;
import static dev.wclayer.LayerTars.sha256;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** L3 and L6 from Java: damage is found and mended in place, garbage goes and nothing else. */
class UpkeepTest extends DriverTestCase {
    private static final byte[] BASE = tar(tar -> {
        tar.folder("Files/dir");
        tar.file("Files/dir/a.txt", bytes("content ".repeat(1000)));
    });
    private static final byte[] CHILD = tar(tar -> tar.file("Files/b.txt", bytes("b")));

    private WindowsDriver driver;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    @BeforeEach
    void fill() throws IOException {
        driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.applyDiff("child", "base", stream(CHILD));
    }

    @Test
    void aFlippedByteIsFoundByAFullLookAndMendedFromTheBlob() throws IOException {
        Path stored = home.resolve("base/Files/dir/a.txt");
        Files.writeString(stored, "CONTENT ".repeat(1000));
        assertThat(driver.verify(VerifyDepth.QUICK)).isEmpty();
        assertThat(driver.verify(VerifyDepth.FULL, "base"))
                .extracting(LayerProblem::path)
                .containsExactly("Files/dir/a.txt");
        Path blob = Files.write(folder.resolve("base.tar.gz"), gzip(BASE));
        ApplyResult repaired = driver.repair("base", blob);
        assertThat(repaired.diffId()).isEqualTo(sha256(BASE));
        assertThat(driver.verify()).isEmpty();
        assertThat(read(driver.diff("child", "base"))).isEqualTo(CHILD);
        look(driver, "child", root -> assertThat(root.resolve("dir/a.txt")).hasContent("content ".repeat(1000)));
    }

    @Test
    void anotherTarChangesNothing() throws IOException {
        Map<String, String> before = StoreSnapshot.of(home);
        assertThatThrownBy(() -> driver.repair("base", stream(CHILD), ApplyOptions.DEFAULT))
                .isInstanceOf(DigestMismatchException.class)
                .hasMessageContaining("Repair")
                .hasMessageContaining(sha256(BASE));
        CancellationToken token = new CancellationToken();
        token.cancel();
        assertThatThrownBy(() -> driver.repair("base", stream(BASE), ApplyOptions.DEFAULT.withCancellation(token)))
                .isInstanceOf(OperationCancelledException.class);
        assertThat(StoreSnapshot.of(home)).isEqualTo(before);
    }

    @Test
    void aLostRecordNeedsTheDigest() throws IOException {
        Files.writeString(home.resolve("base/.wclayer/record.json"), "");
        assertThatThrownBy(() -> driver.repair("base", stream(BASE), ApplyOptions.DEFAULT))
                .isInstanceOf(LayerDamagedException.class)
                .hasMessageContaining("digest");
        driver.repair("base", stream(BASE), ApplyOptions.DEFAULT.withExpectedDiffId(sha256(BASE)));
        assertThat(driver.verify()).isEmpty();
    }

    @Test
    void aMountedDescendantKeepsALayerFromBeingRepaired() throws IOException {
        driver.createReadWrite("box", "child");
        try (LayerMount mount = driver.mount("box")) {
            assertThat(mount.path().resolve("b.txt")).exists();
            assertThatThrownBy(() -> driver.repair("base", stream(BASE), ApplyOptions.DEFAULT))
                    .isInstanceOf(LayerBusyException.class)
                    .hasMessageContaining("box");
        }
        driver.repair("base", stream(BASE), ApplyOptions.DEFAULT);
    }

    @Test
    void gcKeepsRootsAncestorsAndWhatIsMounted() throws IOException {
        driver.createReadWrite("box", "base");
        driver.createReadWrite("idle", "base");
        assertThat(driver.gc(false)).isEmpty();
        try (LayerMount mount = driver.mount("box")) {
            assertThat(mount.path()).isDirectory();
            assertThat(driver.gc(true, "child")).extracting(Garbage::id).containsExactly("idle");
            assertThat(driver.exists("idle")).isTrue();
            assertThat(driver.gc(false, "child")).extracting(Garbage::id).containsExactly("idle");
        }
        assertThat(driver.list()).extracting(LayerSummary::id).containsExactly("base", "box", "child");
        assertThatThrownBy(() -> driver.gc(false, "child", "missing")).isInstanceOf(LayerNotFoundException.class);
        assertThatThrownBy(() -> driver.gc(false, "")).isInstanceOf(InvalidLayerArgumentException.class);
        assertThatThrownBy(() -> driver.gc(false, "child\nbox")).isInstanceOf(InvalidLayerArgumentException.class);
    }
}
