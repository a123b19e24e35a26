package dev.wclayer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** Runs command lines in this process, each with streams of its own. None leaves a file open, nor a mount. */
abstract class CliTestCase {
    @TempDir
    Path folder;

    @AfterEach
    void nothingIsOpen() throws IOException {
        List<String> open = new ArrayList<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors) {
                open.add(targetOf(descriptor));
            }
        }
        assertThat(open).as("open files").noneMatch(path -> path.startsWith(folder.toString()));
        assertThat(Files.readString(Path.of("/proc/self/mounts"))).as("mounts").doesNotContain(folder.toString());
    }

    private static String targetOf(Path descriptor) throws IOException {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (NoSuchFileException closedMeanwhile) {
            return "";
        }
    }

    /** The outcome of one command line. */
    static final class Outcome {
        private final int status;
        private final byte[] out;
        private final String err;

        Outcome(int status, byte[] out, String err) {
            this.status = status;
            this.out = out;
            this.err = err;
        }

        int status() {
            return status;
        }

        byte[] out() {
            return out;
        }

        String err() {
            return err;
        }

        String text() {
            return new String(out, StandardCharsets.UTF_8);
        }

        List<String> lines() {
            return text().lines().toList();
        }

        JsonElement json() {
            return JsonParser.parseString(text());
        }

        JsonObject object() {
            return json().getAsJsonObject();
        }

        /** Done, with nothing to say on stderr. */
        Outcome done() {
            assertThat(err).isEmpty();
            assertThat(status).isZero();
            return this;
        }

        /** Ended with this status and one clear line. */
        Outcome ended(int expected) {
            assertThat(status).as(err).isEqualTo(expected);
            assertThat(err.lines()).hasSize(1);
            assertThat(err).startsWith("wclayer: ");
            return this;
        }
    }

    static Outcome bare(byte[] in, String... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int status;
        try (PrintStream print = new PrintStream(err, true, StandardCharsets.UTF_8)) {
            status = CommandLines.run(new Streams(new ByteArrayInputStream(in), out, print), arguments);
        }
        return new Outcome(status, out.toByteArray(), err.toString(StandardCharsets.UTF_8));
    }

    /** A command in this test's home. */
    Outcome run(String... arguments) {
        return runWith(new byte[0], arguments);
    }

    Outcome runWith(byte[] in, String... arguments) {
        List<String> all =
                new ArrayList<>(List.of("--home", folder.resolve("home").toString()));
        all.addAll(List.of(arguments));
        return bare(in, all.toArray(new String[0]));
    }
}
