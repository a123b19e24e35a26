package dev.wclayer.benchmarks.task;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * The core without Java: a C++ program that does one job after another as it is told, so that its start is not in the
 * figures. See native/bench/core_bench.cc.
 */
public final class CoreBench implements AutoCloseable {
    private final Process process;
    private final BufferedWriter commands;
    private final BufferedReader answers;

    /**
     * Starts it.
     *
     * @param program what ./build made of native/bench
     * @throws IOException if it cannot be started
     */
    public CoreBench(Path program) throws IOException {
        process = new ProcessBuilder(program.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        commands = process.outputWriter(StandardCharsets.UTF_8);
        answers = process.inputReader(StandardCharsets.UTF_8);
    }

    /** A Diff written from metadata, read to its end. */
    public Task diff(Stage stage) {
        return new Task("C++ core") {
            @Override
            public void prepare() throws IOException {
                tell("open", stage.home().toString());
            }

            @Override
            public long run() throws IOException {
                return tell("diff", Stage.BASE);
            }

            @Override
            public List<String> contents() {
                return List.of(); // the same code made both
            }
        };
    }

    /** ApplyDiff of the tar. */
    public Task apply(Stage stage) {
        return new Task("C++ core") {
            @Override
            public void prepare() throws IOException {
                tell("open", stage.home().toString());
            }

            @Override
            public long run() throws IOException {
                return tell("apply", "core", stage.layer().tar().toString());
            }

            @Override
            public void cleanup() throws IOException {
                tell("remove", "core");
            }

            @Override
            public List<String> contents() throws IOException {
                prepare();
                run();
                List<String> contents = Contents.ofTree(stage.home().resolve("core"));
                cleanup();
                return contents;
            }
        };
    }

    /** Opens and reads every file of the layer and does nothing else: no Diff by one thread can be faster. */
    public Task readOnly(Stage stage) {
        return new Task("reading alone (the limit)") {
            @Override
            public long run() throws IOException {
                return tell(
                        "read",
                        stage.home().resolve(Stage.BASE).resolve("Files").toString());
            }

            @Override
            public List<String> contents() {
                return List.of();
            }
        };
    }

    private long tell(String... words) throws IOException {
        commands.write(String.join("\t", words));
        commands.newLine();
        commands.flush();
        String answer = answers.readLine();
        if (answer == null || !answer.startsWith("ok ")) {
            throw new IOException("core_bench: " + String.join(" ", words) + ": " + answer);
        }
        return Long.parseLong(answer.substring(3));
    }

    @Override
    public void close() throws IOException {
        commands.close();
        Shell.waitFor(process);
    }
}
