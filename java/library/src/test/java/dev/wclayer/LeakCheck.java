package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.wclayer.internal.NativeCounters;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * After every class: open files below the temporary folder, mounts, native handles and native memory are what they were
 * before it.
 */
final class LeakCheck implements BeforeAllCallback, AfterAllCallback {
    /** What the library keeps for good of every home that was ever opened, and the last error of each thread. */
    private static final long KEPT_BYTES = 256 << 10;
    /** In the names of all temporary folders of JUnit: mounts elsewhere are those of other processes. */
    private static final String JUNIT = "/junit";

    @Override
    public void beforeAll(ExtensionContext context) throws IOException {
        if (context.getParent().map(parent -> parent.getTestClass().isPresent()).orElse(false)) {
            return; // a class within a class
        }
        store(context).put("before", State.now());
    }

    @Override
    public void afterAll(ExtensionContext context) throws IOException {
        State before = store(context).remove("before", State.class);
        if (before == null) {
            return;
        }
        State after = State.now();
        assertThat(after.files).as("open files").isSubsetOf(before.files);
        assertThat(after.mounts).as("mounts").isSubsetOf(before.mounts);
        assertThat(after.handles).as("native handles").isEqualTo(before.handles);
        assertThat(after.bytes).as("native bytes").isLessThanOrEqualTo(before.bytes + KEPT_BYTES);
    }

    private static ExtensionContext.Store store(ExtensionContext context) {
        return context.getStore(ExtensionContext.Namespace.create(LeakCheck.class, context.getUniqueId()));
    }

    private record State(Set<String> files, Set<String> mounts, long handles, long bytes) {
        static State now() throws IOException {
            String temporary = System.getProperty("java.io.tmpdir", "/tmp");
            Set<String> files = new TreeSet<>();
            File[] open = new File("/proc/self/fd").listFiles();
            if (open != null) {
                for (File fd : open) {
                    String target = targetOf(fd.toPath());
                    if (target.startsWith(temporary)) {
                        files.add(target);
                    }
                }
            }
            Path table = Path.of("/proc/self/mounts");
            Set<String> mounts = Set.of();
            if (Files.exists(table)) {
                try (Stream<String> lines = Files.lines(table)) {
                    mounts = lines.filter(line -> line.contains("wclayer:") && line.contains(JUNIT))
                            .collect(Collectors.toCollection(TreeSet::new));
                }
            }
            return new State(
                    files,
                    mounts,
                    NativeCounters.liveHandles(),
                    NativeMemory.now().currentBytes());
        }

        private static String targetOf(Path fd) {
            try {
                return Files.readSymbolicLink(fd).toString();
            } catch (IOException closedMeanwhile) {
                return "";
            }
        }
    }
}
