package dev.wclayer.benchmarks.task;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** Command lines, run by bash. */
public final class Shell {
    private Shell() {}

    /**
     * Runs a script to its end.
     *
     * @param script the script; a failure anywhere in a pipe is a failure
     * @return what it wrote to its output
     * @throws IOException if it fails; with what it wrote to its error output
     */
    public static String run(String script) throws IOException {
        Process process = start(List.of("bash", "-c", "set -o pipefail; " + script));
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = waitFor(process);
        if (status != 0) {
            throw new IOException("exit status " + status + " from: " + script + "\n" + output);
        }
        return output;
    }

    /** Starts a command, both its outputs in one. */
    public static Process start(List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("LC_ALL", "C.UTF-8");
        return builder.start();
    }

    /** Waits for its end. */
    public static int waitFor(Process process) throws IOException {
        try {
            return process.waitFor();
        } catch (InterruptedException interrupted) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw (InterruptedIOException) new InterruptedIOException().initCause(interrupted);
        }
    }

    /** Whether a program is installed. */
    public static boolean has(String program) {
        try {
            run("command -v " + quote(program));
            return true;
        } catch (IOException absent) {
            return false;
        }
    }

    /** A path as one word of a script. */
    public static String quote(Path path) {
        return quote(path.toString());
    }

    private static String quote(String text) {
        return "'" + text.replace("'", "'\\''") + "'";
    }
}
