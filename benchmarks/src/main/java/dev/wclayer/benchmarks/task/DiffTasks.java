package dev.wclayer.benchmarks.task;

import dev.wclayer.DiffOptions;
import dev.wclayer.LayerDiff;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Turning a layer into a tar: ours from the store, the peers' from the same files. */
public final class DiffTasks {
    private final Stage stage;

    /**
     * Tasks on a layer.
     *
     * @param stage where it is
     */
    public DiffTasks(Stage stage) {
        this.stage = stage;
    }

    /** Ours, with the digests of the tar and of what is written unless the options leave them out. */
    public Task ours(String name, DiffOptions options, Packing packing) {
        return new JavaTask(name, packing, out -> {
            try (LayerDiff diff = stage.driver().diff(Stage.BASE, null, options)) {
                diff.transferTo(out);
            }
        });
    }

    /** Ours, written natively into a file: its bytes never reach Java. */
    public Task oursIntoFile(String name, DiffOptions options, Packing packing) {
        Path file = stage.scratch().resolve("diff");
        return new Task(name) {
            @Override
            public long run() throws IOException {
                try (LayerDiff diff = stage.driver().diff(Stage.BASE, null, options)) {
                    return diff.transferTo(file);
                }
            }

            @Override
            public void cleanup() throws IOException {
                Files.delete(file);
            }

            @Override
            public List<String> contents() throws IOException {
                run();
                return contentsOf(file, packing);
            }
        };
    }

    /** Ours from the stored metadata: what a Diff of a container costs. */
    public Task rebuild(Packing packing, int level) {
        return ours(
                "wclayer",
                DiffOptions.DEFAULT.withRebuild(true).withCompression(packing.compression(), level),
                packing);
    }

    /** The same without digests, as the peers that compute none. */
    public Task rebuildWithoutDigests() {
        return ours("wclayer", DiffOptions.DEFAULT.withRebuild(true).withDigests(false), Packing.PLAIN);
    }

    /** Ours from the kept skeleton, without digests: the very bytes that were applied. */
    public Task replay() {
        return ours("wclayer", DiffOptions.DEFAULT.withDigests(false), Packing.PLAIN);
    }

    /** Commons Compress and what Java users put around it. */
    public Task java(JavaCodec codec) {
        return new JavaTask(codec.text(), codec.packing(), out -> codec.write(stage.tree(), out));
    }

    /** GNU tar, as it comes. */
    public Task gnuTar() {
        return new ShellTask("GNU tar", "tar -C %s -cf - Files", "cat > /dev/null", Packing.PLAIN);
    }

    /** bsdtar, as it comes. */
    public Task bsdtar() {
        return new ShellTask("bsdtar", "bsdtar -C %s -cf - Files", "cat > /dev/null", Packing.PLAIN);
    }

    /** GNU tar and a packer; no digests. */
    public Task packedBy(String packer, Packing packing) {
        return new ShellTask("tar | " + packer, "tar -C %s -cf - Files | " + packer, "cat > /dev/null", packing);
    }

    /** GNU tar, a packer, and the digests of tar and blob, each in a process of its own. */
    public Task packedAndDigestedBy(String packer, Packing packing) {
        String digest = Shell.has("openssl") ? "openssl dgst -sha256 > /dev/null" : "sha256sum > /dev/null";
        String script = "tar -C %s -cf - Files | tee >(" + digest + ") | " + packer;
        return new ShellTask("tar | " + packer + " | digests", script, digest, packing);
    }

    private interface Writer {
        void write(OutputStream out) throws IOException;
    }

    private final class JavaTask extends Task {
        private final Packing packing;
        private final Writer writer;

        JavaTask(String name, Packing packing, Writer writer) {
            super(name);
            this.packing = packing;
            this.writer = writer;
        }

        @Override
        public long run() throws IOException {
            CountingSink sink = new CountingSink();
            writer.write(sink);
            return sink.bytes();
        }

        @Override
        public List<String> contents() throws IOException {
            Path copy = stage.scratch().resolve("diff");
            try (OutputStream out = Files.newOutputStream(copy)) {
                writer.write(out);
            }
            return contentsOf(copy, packing);
        }
    }

    private final class ShellTask extends Task {
        private final String script;
        private final String sink;
        private final Packing packing;
        private long bytes;

        ShellTask(String name, String script, String sink, Packing packing) {
            super(name);
            this.script = script;
            this.sink = sink;
            this.packing = packing;
        }

        @Override
        public long run() throws IOException {
            Shell.run(on(stage.tree()) + " | " + sink);
            return bytes;
        }

        @Override
        public List<String> contents() throws IOException {
            Path copy = stage.scratch().resolve("diff");
            Shell.run(on(stage.tree()) + " > " + Shell.quote(copy));
            bytes = Files.size(copy);
            return contentsOf(copy, packing);
        }

        private String on(Path tree) {
            return script.replace("%s", Shell.quote(tree));
        }

        @Override
        public Optional<Task> idle() {
            Path empty = stage.scratch().resolve("empty");
            return Optional.of(new Task(name()) {
                @Override
                public void prepare() throws IOException {
                    Files.createDirectories(empty.resolve("Files"));
                }

                @Override
                public long run() throws IOException {
                    Shell.run(on(empty) + " | " + sink);
                    return 0;
                }

                @Override
                public List<String> contents() {
                    return List.of();
                }
            });
        }
    }

    private static List<String> contentsOf(Path copy, Packing packing) throws IOException {
        List<String> contents = Contents.ofTar(copy, packing);
        Files.delete(copy);
        return contents;
    }
}
