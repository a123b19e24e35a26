package dev.wclayer.benchmarks.task;

import dev.wclayer.Change;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What changed between two layers, and how large one is. */
public final class ChangeTasks {
    private ChangeTasks() {}

    /** Ours, of a writable layer: its tree against its parent's. */
    public static Task ofTwoTrees(ChangeStage changes) {
        return new OurChanges(changes, changes.checkouts(), ChangeStage.BOX);
    }

    /** Ours, of a committed layer: read from its metadata. */
    public static Task ofOwnList(ChangeStage changes) {
        return new OurChanges(changes, changes.stage().driver(), ChangeStage.CHILD);
    }

    /** {@code rsync -an --delete} of the two trees: sizes and times, no content. */
    public static Task byRsync(ChangeStage changes) {
        return new RsyncChanges(changes);
    }

    /** Ours: DiffSize. */
    public static Task size(Stage stage) {
        return new Task("wclayer") {
            private long bytes;

            @Override
            public long run() throws IOException {
                bytes = stage.driver().diffSize(Stage.BASE, "");
                return bytes;
            }

            @Override
            public List<String> contents() throws IOException {
                run();
                return List.of(Long.toString(bytes));
            }
        };
    }

    /** {@code du -s}: blocks on disk, folders too, so its number is another one. */
    public static Task sizeByDu(Stage stage) {
        return new Task("du -s") {
            @Override
            public long run() throws IOException {
                Shell.run(script(stage.tree()));
                return 0;
            }

            @Override
            public List<String> contents() {
                return List.of();
            }

            @Override
            public Optional<Task> idle() {
                return Optional.of(idleShell(name(), script(Path.of("/dev/null"))));
            }

            private static String script(Path folder) {
                return "du -s " + Shell.quote(folder);
            }
        };
    }

    /** A folder walk in Java that adds up what the files hold. */
    public static Task sizeByJava(Stage stage) {
        return new Task("java.nio walk") {
            private long bytes;

            @Override
            public long run() throws IOException {
                bytes = 0;
                Files.walkFileTree(stage.tree().resolve("Files"), new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                        bytes += attributes.size();
                        return FileVisitResult.CONTINUE;
                    }
                });
                return bytes;
            }

            @Override
            public List<String> contents() throws IOException {
                run();
                return List.of(Long.toString(bytes));
            }
        };
    }

    static Task idleShell(String name, String script) {
        return new Task(name) {
            @Override
            public long run() throws IOException {
                Shell.run(script);
                return 0;
            }

            @Override
            public List<String> contents() {
                return List.of();
            }
        };
    }

    private static final class OurChanges extends Task {
        private final ChangeStage changes;
        private final WindowsDriver driver;
        private final String id;

        OurChanges(ChangeStage changes, WindowsDriver driver, String id) {
            super("wclayer");
            this.changes = changes;
            this.driver = driver;
            this.id = id;
        }

        @Override
        public long run() throws IOException {
            return driver.changes(id, Stage.BASE).size();
        }

        @Override
        public List<String> contents() throws IOException {
            Set<String> folders = new HashSet<>(changes.folders());
            List<String> lines = new ArrayList<>();
            for (Change change : driver.changes(id, Stage.BASE)) {
                if (!folders.contains(change.path())) {
                    lines.add(change.toString());
                }
            }
            lines.sort(null);
            return lines;
        }
    }

    private static final class RsyncChanges extends Task {
        private final ChangeStage changes;

        RsyncChanges(ChangeStage changes) {
            super("rsync -an --delete");
            this.changes = changes;
        }

        @Override
        public long run() throws IOException {
            rsync(changes.changedTree(), changes.stage().tree());
            return 0;
        }

        private static String rsync(Path from, Path to) throws IOException {
            return Shell.run(script(from, to));
        }

        private static String script(Path from, Path to) {
            return "rsync -an --delete --out-format='%i %n' " + Shell.quote(from) + "/ " + Shell.quote(to) + "/";
        }

        @Override
        public List<String> contents() throws IOException {
            List<String> lines = new ArrayList<>();
            for (String line :
                    rsync(changes.changedTree(), changes.stage().tree()).split("\n", -1)) {
                int space = line.indexOf(' ');
                if (line.startsWith("*deleting")) {
                    lines.add("D " + line.substring("*deleting".length()).strip());
                } else if (line.startsWith(">f+")) {
                    lines.add("A " + line.substring(space + 1));
                } else if (line.startsWith(">f")) {
                    lines.add("C " + line.substring(space + 1));
                }
            }
            lines.sort(null);
            return lines;
        }

        @Override
        public Optional<Task> idle() {
            Path empty = changes.stage().scratch().resolve("nothing");
            return Optional.of(new Task(name()) {
                @Override
                public void prepare() throws IOException {
                    Files.createDirectories(empty);
                }

                @Override
                public long run() throws IOException {
                    rsync(empty, empty);
                    return 0;
                }

                @Override
                public List<String> contents() {
                    return List.of();
                }
            });
        }
    }
}
