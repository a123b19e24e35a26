package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Docker's graphtest, scenarios 1 to 5 (spec oracle-cases §7). A read-only layer is made of a writable one's Diff. */
abstract class GraphtestScenarios extends DriverTestCase {
    private static final long SEED = 7;

    @Test
    void createEmpty() throws IOException {
        WindowsDriver driver = open();
        driver.createReadWrite("empty", "");
        assertThat(driver.exists("empty")).isTrue();
        Path root = driver.get("empty");
        assertThat(root).isDirectory();
        assertThat(tree(root)).isEmpty();
        driver.put("empty");
        driver.remove("empty");
        assertThat(driver.exists("empty")).isFalse();
    }

    @Test
    void createBaseAndSnap() throws IOException {
        WindowsDriver driver = open();
        Edit base = root -> {
            Files.createDirectory(root.resolve("a subdir"));
            Files.writeString(root.resolve("a subdir/file"), "content");
            Files.writeString(root.resolve("a file"), "more");
        };
        commit(driver, "base", "", base);
        List<String> expected = List.of("a file", "a subdir/", "a subdir/file");
        look(driver, "base", root -> assertThat(tree(root)).isEqualTo(expected));
        driver.createReadWrite("snap", "base");
        try (LayerMount mount = driver.mount("snap")) {
            assertThat(tree(mount.path())).isEqualTo(expected);
            assertThat(mount.path().resolve("a subdir/file")).hasContent("content");
        }
        driver.remove("snap");
        driver.remove("base");
        assertThat(driver.list()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 50, 128})
    void deepLayerRead(int layers) throws IOException {
        WindowsDriver driver = open();
        commit(driver, "layer-0", "", root -> Files.writeString(root.resolve("base-file"), "base"));
        for (int i = 1; i <= layers; i++) {
            String id = "layer-" + i;
            String parent = "layer-" + (i - 1);
            commit(driver, id, parent, root -> {
                Files.writeString(root.resolve("top-id"), id);
                Path own = Files.createDirectory(root.resolve(id));
                Files.writeString(own.resolve("layer-id"), id);
                Files.writeString(own.resolve("parent-id"), parent);
            });
        }
        String top = "layer-" + layers;
        look(driver, top, root -> {
            assertThat(root.resolve("base-file")).hasContent("base");
            assertThat(root.resolve("top-id")).hasContent(top);
            String id = top;
            for (int i = layers; i >= 1; i--) {
                assertThat(root.resolve(id).resolve("layer-id")).hasContent(id);
                id = Files.readString(root.resolve(id).resolve("parent-id"));
            }
            assertThat(id).isEqualTo("layer-0");
        });
    }

    @Test
    void diffApply() throws IOException {
        WindowsDriver driver = open();
        Random random = new Random(SEED);
        commit(driver, "base", "", root -> {
            addFiles(root, 200, random);
            Files.writeString(root.resolve("extra file"), "goes");
            Files.createDirectory(root.resolve("extra folder"));
            Files.writeString(root.resolve("extra folder/inside"), "goes too");
        });
        driver.createReadWrite("box", "base");
        var expected = new TreeMap<String, String>();
        try (LayerMount mount = driver.mount("box")) {
            Path root = mount.path();
            addFiles(root, 100, random); // overwrites the first hundred
            Files.delete(root.resolve("extra file"));
            Files.delete(root.resolve("extra folder/inside"));
            Files.delete(root.resolve("extra folder"));
            expected.putAll(contents(root));
        }
        long size = driver.diffSize("box", "base");
        ApplyResult applied;
        try (LayerDiff diff = driver.diff("box", "base")) {
            applied = driver.applyDiff("copy", "base", diff);
        }
        assertThat(applied.sizeBytes()).as("seed %d", SEED).isEqualTo(size);
        assertThat(driver.diffSize("copy", "base")).isEqualTo(size);
        look(driver, "copy", root -> {
            assertThat(contents(root)).isEqualTo(expected);
            assertThat(root.resolve("extra file")).doesNotExist();
            assertThat(root.resolve("extra folder")).doesNotExist();
        });
        assertThat(driver.verify()).isEmpty();
    }

    @Test
    void changes() throws IOException {
        WindowsDriver driver = open();
        Random random = new Random(SEED);
        commit(driver, "base", "", root -> {
            addFiles(root, 20, random);
            Files.createDirectory(root.resolve("folder"));
            Files.writeString(root.resolve("folder/file"), "x");
        });
        driver.createReadWrite("box", "base");
        try (LayerMount mount = driver.mount("box")) {
            Path root = mount.path();
            for (int i = 0; i < 5; i++) {
                Files.writeString(root.resolve("file-" + i), "modified");
                Files.writeString(root.resolve("added-" + i), "added");
                Files.delete(root.resolve("file-" + (10 + i)));
            }
            Files.delete(root.resolve("folder/file"));
            Files.delete(root.resolve("folder"));
        }
        List<String> expected = new ArrayList<>();
        expected.add("C Files"); // entries came and went
        for (int i = 0; i < 5; i++) {
            expected.add("C Files/file-" + i);
            expected.add("A Files/added-" + i);
            expected.add("D Files/file-" + (10 + i));
        }
        expected.add("D Files/folder");
        assertThat(driver.changes("box", "base"))
                .as("seed %d", SEED)
                .extracting(Change::toString)
                .containsExactlyInAnyOrderElementsOf(expected);
        assertThat(driver.changes("box", "base")).isSortedAccordingTo(Comparator.comparing(Change::path));
        try (LayerDiff diff = driver.diff("box", "base")) {
            driver.applyDiff("copy", "base", diff);
        }
        assertThat(driver.changes("copy", "base"))
                .as("the layer made of the Diff has the same changes")
                .isEqualTo(driver.changes("box", "base"));
    }

    private static void addFiles(Path root, int count, Random random) throws IOException {
        for (int i = 0; i < count; i++) {
            byte[] content = new byte[1 + random.nextInt(8000)];
            random.nextBytes(content);
            Files.write(root.resolve("file-" + i), content);
        }
    }

    private static SortedMap<String, String> contents(Path root) throws IOException {
        SortedMap<String, String> contents = new TreeMap<>();
        List<Path> files;
        try (Stream<Path> walk = Files.walk(root)) {
            files = walk.filter(Files::isRegularFile).toList();
        }
        for (Path file : files) {
            contents.put(root.relativize(file).toString(), LayerTars.sha256(Files.readAllBytes(file)));
        }
        return contents;
    }
}
