package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.wclayer.internal.NativeCounters;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A home for each test, a driver on it, and what is checked after every test: nothing mounted, no handle left. */
@ExtendWith(LeakCheck.class)
abstract class DriverTestCase {
    @TempDir
    Path folder;

    Path home = Path.of("");
    private final List<WindowsDriver> opened = new ArrayList<>();
    private long liveHandles;

    /** Options of the driver besides the defaults. */
    abstract Map<String, String> options();

    @BeforeEach
    void countHandles() {
        home = folder.resolve("home");
        liveHandles = NativeCounters.liveHandles();
    }

    @AfterEach
    void closeAndCheck() throws IOException {
        opened.forEach(WindowsDriver::close);
        assertThat(NativeCounters.liveHandles()).as("native handles").isEqualTo(liveHandles);
        Path mounts = Path.of("/proc/self/mounts");
        if (Files.exists(mounts)) {
            assertThat(Files.readString(mounts)).as("mounts").doesNotContain(home.toString());
        }
    }

    /** A driver that the test's end closes. */
    WindowsDriver open() throws LayerException {
        return open(home, options());
    }

    WindowsDriver open(Path where, Map<String, String> options) throws LayerException {
        WindowsDriver driver = WindowsDriver.initFilter(where, options, List.of(), List.of());
        opened.add(driver);
        return driver;
    }

    /** Makes a read-only layer as Docker does: a writable one is edited, its Diff applied. */
    static ApplyResult commit(WindowsDriver driver, String id, String parent, Edit edit) throws IOException {
        String box = id + "-box";
        driver.createReadWrite(box, parent);
        try (LayerMount mount = driver.mount(box)) {
            edit.in(mount.path());
        }
        ApplyResult result;
        try (LayerDiff diff = driver.diff(box, parent)) {
            result = driver.applyDiff(id, parent, diff);
        }
        driver.remove(box);
        return result;
    }

    /** Looks at a layer through a writable child, as containers see it. */
    static void look(WindowsDriver driver, String id, Edit look) throws IOException {
        String box = id + "-look";
        driver.createReadWrite(box, id);
        try (LayerMount mount = driver.mount(box)) {
            look.in(mount.path());
        }
        driver.remove(box);
    }

    static byte[] read(LayerDiff diff) throws IOException {
        try (InputStream in = diff) {
            return in.readAllBytes();
        }
    }

    static List<String> tree(Path root) throws IOException {
        try (Stream<Path> walk = Files.walk(root)) {
            return walk.filter(path -> !path.equals(root))
                    .map(path ->
                            root.relativize(path) + (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS) ? "/" : ""))
                    .sorted()
                    .toList();
        }
    }

    @FunctionalInterface
    interface Edit {
        void in(Path root) throws IOException;
    }
}
