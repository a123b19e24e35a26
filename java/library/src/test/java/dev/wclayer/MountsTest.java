package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Overlayfs and checkout give the same Diff after the same edits (store §6). */
class MountsTest extends DriverTestCase {
    private static final byte[] BASE = tar(tar -> {
        tar.file("Files/keep.txt", bytes("keep"));
        tar.file("Files/append.txt", bytes("begin "));
        tar.file("Files/overwrite.txt", bytes("old content"));
        tar.file("Files/delete.txt", bytes("delete"));
        tar.file("Files/rename.txt", bytes("rename"));
        tar.file("Files/chmod.txt", bytes("chmod"));
        tar.file("Files/linked.txt", bytes("linked"));
        tar.hardLink("Files/linked-again.txt", "Files/linked.txt");
        tar.file("Files/folder/one.txt", bytes("1"));
        tar.file("Files/folder/two.txt", bytes("2"));
        tar.file("Files/replaced/inside.txt", bytes("inside"));
        tar.file("Files/moved/a.txt", bytes("a"));
    });
    private static final FileTime TIME = FileTime.from(LayerTars.TIME.plusSeconds(60));

    @Override
    Map<String, String> options() {
        return Map.of();
    }

    @Test
    void sayHowTheyAreMade() throws IOException {
        String mounts = mountsOf(open());
        assertThat(mounts).matches("overlayfs|checkout.*");
        if (!mounts.equals("overlayfs")) {
            System.err.println("NOT RUN by overlayfs but by checkout here: " + mounts);
        }
        assertThat(mountsOf(open(folder.resolve("checkout"), Map.of("mount", "checkout"))))
                .startsWith("checkout");
    }

    @Test
    void giveTheSameDiffAfterTheSameEdits() throws IOException {
        SortedMap<String, List<String>> diffs = new TreeMap<>();
        SortedMap<String, List<String>> changes = new TreeMap<>();
        for (String mount : List.of("auto", "overlay-legacy", "checkout")) {
            WindowsDriver driver = open(folder.resolve(mount), Map.of("mount", mount));
            if (mount.equals("overlay-legacy") && !mountsOf(driver).equals("overlayfs")) {
                continue; // the fallback of the fallback is the checkout, which runs anyway
            }
            driver.applyDiff("base", "", stream(BASE));
            driver.createReadWrite("box", "base");
            try (LayerMount mounted = driver.mount("box")) {
                edit(mounted.path());
            }
            diffs.put(mount, LayerTars.describe(read(driver.diff("box", "base"))));
            changes.put(
                    mount,
                    driver.changes("box", "base").stream().map(Change::toString).toList());
            try (LayerDiff diff = driver.diff("box", "base")) {
                driver.applyDiff("copy", "base", diff);
            }
            assertThat(driver.changes("copy", "base").stream()
                            .map(Change::toString)
                            .toList())
                    .as("changes of the layer made of the Diff, by %s", mount)
                    .isEqualTo(changes.get(mount));
        }
        assertThat(new HashSet<>(diffs.values())).as("%s", diffs).hasSize(1);
        assertThat(new HashSet<>(changes.values())).as("%s", changes).hasSize(1);
        assertThat(changes.get("checkout"))
                .contains(
                        "C Files/append.txt",
                        "C Files/overwrite.txt",
                        "C Files/delete.txt", // a folder now
                        "A Files/delete.txt/in.txt",
                        "D Files/rename.txt",
                        "A Files/renamed.txt",
                        "A Files/made/deep/new.txt",
                        "C Files/chmod.txt",
                        "D Files/folder/one.txt",
                        "A Files/folder/three.txt",
                        "C Files/replaced",
                        "A Files/symlink.txt")
                .doesNotContain("C Files/keep.txt");
    }

    /** Create, write, append, delete, rename, mkdir over a deleted file, chmod, links, replace a folder by a file. */
    private static void edit(Path root) throws IOException {
        Files.createDirectories(root.resolve("made/deep"));
        write(root.resolve("made/deep/new.txt"), "new");
        write(root.resolve("overwrite.txt"), "new content");
        Files.writeString(root.resolve("append.txt"), "end", StandardOpenOption.APPEND);
        Files.setLastModifiedTime(root.resolve("append.txt"), TIME);
        Files.delete(root.resolve("delete.txt"));
        Files.createDirectory(root.resolve("delete.txt"));
        write(root.resolve("delete.txt/in.txt"), "in");
        Files.move(root.resolve("rename.txt"), root.resolve("renamed.txt"));
        Files.setPosixFilePermissions(root.resolve("chmod.txt"), PosixFilePermissions.fromString("r--------"));
        Files.createSymbolicLink(root.resolve("symlink.txt"), Path.of("keep.txt"));
        Files.createLink(root.resolve("hard.txt"), root.resolve("made/deep/new.txt"));
        Files.delete(root.resolve("folder/one.txt"));
        Files.delete(root.resolve("folder/two.txt"));
        Files.delete(root.resolve("folder"));
        Files.createDirectory(root.resolve("folder"));
        write(root.resolve("folder/three.txt"), "3");
        Files.delete(root.resolve("replaced/inside.txt"));
        Files.delete(root.resolve("replaced"));
        write(root.resolve("replaced"), "a file now");
        assertThat(root.resolve("keep.txt")).hasContent("keep");
    }

    private static void write(Path file, String text) throws IOException {
        Files.writeString(file, text);
        Files.setLastModifiedTime(file, TIME);
    }

    @Test
    void aLayerKeepsTheWayItWasFirstMounted() throws IOException {
        WindowsDriver driver = open();
        if (!mountsOf(driver).equals("overlayfs")) {
            return; // only one way here, which sayHowTheyAreMade has said
        }
        driver.applyDiff("base", "", stream(BASE));
        driver.createReadWrite("box", "base");
        driver.mount("box").close();
        driver.close();
        WindowsDriver checkout = open(home, Map.of("mount", "checkout"));
        assertThatThrownBy(() -> checkout.mount("box"))
                .isInstanceOf(MountMismatchException.class)
                .hasMessageContaining("overlay");
    }

    /** A child's name hides its parent's without regard to case. */
    @Test
    void namesAreComparedWithoutCase() throws IOException {
        for (String mount : List.of("auto", "checkout")) {
            WindowsDriver driver = open(folder.resolve(mount), Map.of("mount", mount));
            driver.applyDiff("base", "", stream(BASE));
            driver.applyDiff("child", "base", stream(tar(tar -> tar.file("Files/KEEP.TXT", bytes("the child's")))));
            List<String> kept = new ArrayList<>();
            look(driver, "child", root -> {
                for (String name : tree(root)) {
                    if (name.equalsIgnoreCase("keep.txt")) {
                        kept.add(Files.readString(root.resolve(name)));
                    }
                }
            });
            assertThat(kept).containsExactly("the child's");
            assertThat(driver.entries("child", "")).extracting(EntryInfo::path).contains("Files/KEEP.TXT");
        }
    }

    private static String mountsOf(WindowsDriver driver) throws LayerException {
        return driver.status().stream()
                .filter(item -> item.key().equals("Mounts"))
                .map(StatusItem::value)
                .findFirst()
                .orElseThrow();
    }
}
