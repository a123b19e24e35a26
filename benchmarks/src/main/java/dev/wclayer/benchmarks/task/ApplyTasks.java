package dev.wclayer.benchmarks.task;

import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.data.Trees;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Turning a tar into files: ours a layer in the store, the peers' a folder beside it. */
public final class ApplyTasks {
    private static final String ID = "applied";
    /** Windows tars give files no permissions at all: only root can then read what a peer unpacked. */
    private static final boolean ROOT = "root".equals(System.getProperty("user.name"));

    private final Stage stage;

    /**
     * Tasks on a layer.
     *
     * @param stage where it is
     */
    public ApplyTasks(Stage stage) {
        this.stage = stage;
    }

    /** Ours; always with both digests. */
    public Task ours(Packing packing) throws IOException {
        return new OurTask("wclayer", stage.driver(), archive(packing));
    }

    /** Ours from a stream of Java's: the bytes come through Java. */
    public Task oursFromStream(Packing packing) throws IOException {
        Path archive = archive(packing);
        return new OurTask("wclayer, from a stream", stage.driver(), archive) {
            @Override
            public long run() throws IOException {
                try (InputStream in = Files.newInputStream(archive)) {
                    return stage.driver().applyDiff(ID, "", in).tarBytes();
                }
            }
        };
    }

    /** Ours by a driver of another home. Layers stay: on ext4, creating files is slow after many were deleted. */
    public Task kept(String name, WindowsDriver driver) {
        return new KeptTask(name, driver, stage.layer().tar());
    }

    /** Commons Compress and what Java users put around it. */
    public Task java(JavaCodec codec) throws IOException {
        Path archive = archive(codec.packing());
        return new FolderTask(codec.text()) {
            @Override
            public long run() throws IOException {
                codec.unpack(archive, target());
                return 0;
            }
        };
    }

    /** GNU tar; no digest. */
    public Task gnuTar() {
        return new ShellTask(
                "GNU tar (no digest)",
                "tar -C %s " + GNU_OPTIONS + " -f ",
                stage.layer().tar());
    }

    /** bsdtar; no digest. */
    public Task bsdtar() {
        String options = "--no-same-owner --no-same-permissions";
        return new ShellTask(
                "bsdtar (no digest)",
                "bsdtar -C %s -x " + options + " -f ",
                stage.layer().tar());
    }

    /** An unpacker and GNU tar; no digest. */
    public Task unpackedBy(String unpacker, Packing packing) throws IOException {
        String script = unpacker + " %a | tar -C %s " + GNU_OPTIONS + " -f -";
        return new ShellTask(unpacker + " | tar x (no digest)", script, archive(packing));
    }

    // Without the warning option it complains about each Windows record.
    private static final String GNU_OPTIONS = "-x --no-same-owner --warning=no-unknown-keyword";

    private Path archive(Packing packing) throws IOException {
        return switch (packing) {
            case PLAIN -> stage.layer().tar();
            case GZIP -> stage.layer().gzip();
            case ZSTD -> stage.layer().zstd();
        };
    }

    private static class OurTask extends Task {
        private final WindowsDriver driver;
        private final Path archive;

        OurTask(String name, WindowsDriver driver, Path archive) {
            super(name);
            this.driver = driver;
            this.archive = archive;
        }

        @Override
        public long run() throws IOException {
            return driver.applyDiff(ID, "", archive).tarBytes();
        }

        @Override
        public void cleanup() throws IOException {
            driver.remove(ID);
        }

        @Override
        public List<String> contents() throws IOException {
            run();
            List<String> contents = Contents.ofTree(driver.home().resolve(ID));
            cleanup();
            return contents;
        }
    }

    private static final class KeptTask extends Task {
        private final WindowsDriver driver;
        private final Path archive;
        private int layers;

        KeptTask(String name, WindowsDriver driver, Path archive) {
            super(name);
            this.driver = driver;
            this.archive = archive;
        }

        @Override
        public long run() throws IOException {
            return driver.applyDiff("layer-" + ++layers, "", archive).tarBytes();
        }

        @Override
        public List<String> contents() throws IOException {
            run();
            return Contents.ofTree(driver.home().resolve("layer-" + layers));
        }
    }

    private abstract class FolderTask extends Task {
        FolderTask(String name) {
            super(name);
        }

        final Path target() {
            return stage.scratch().resolve("unpacked");
        }

        @Override
        public void prepare() throws IOException {
            Files.createDirectory(target());
        }

        @Override
        public void cleanup() throws IOException {
            if (!ROOT) {
                Shell.run("chmod -R u+rwX " + Shell.quote(target()));
            }
            Trees.delete(target());
        }

        @Override
        public List<String> contents() throws IOException {
            prepare();
            run();
            if (!ROOT) {
                Shell.run("chmod -R u+rwX " + Shell.quote(target()));
            }
            List<String> contents = Contents.ofTree(target());
            cleanup();
            return contents;
        }
    }

    private final class ShellTask extends FolderTask {
        private final String script;
        private final Path archive;

        /** %s in the script is the target; the archive stands at %a, else at its end. */
        ShellTask(String name, String script, Path archive) {
            super(name);
            this.script = script.contains("%a") ? script : script + "%a";
            this.archive = archive;
        }

        @Override
        public long run() throws IOException {
            Shell.run(script.replace("%s", Shell.quote(target())).replace("%a", Shell.quote(archive)));
            return 0;
        }

        @Override
        public Optional<Task> idle() {
            return Optional.of(new Task(name()) {
                @Override
                public long run() throws IOException {
                    Shell.run(script.replaceFirst("%a", " /dev/null").replace("%s", Shell.quote(stage.scratch()))
                            + " || true");
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
