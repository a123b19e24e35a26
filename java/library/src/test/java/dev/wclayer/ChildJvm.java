package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Another JVM of the same kind, with the library's classes and the tests'. */
final class ChildJvm {
    static final String CLASSES = Path.of("target", "classes") + ":" + Path.of("target", "test-classes");

    private ChildJvm() {}

    /** The command that runs the main method of {@code type}. */
    static List<String> command(List<String> options, String classPath, Class<?> type, String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        if (Runtime.version().feature() >= 22) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        command.addAll(options);
        command.addAll(List.of("-cp", classPath, type.getName()));
        command.addAll(List.of(arguments));
        return command;
    }

    /** Starts it; what it says on stderr is this process's. */
    static Process start(List<String> command) throws IOException {
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    /** What it prints until it ends, which must be with {@code status}. */
    static String run(List<String> command, int status) throws IOException, InterruptedException {
        Process process = start(command);
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isEqualTo(status);
        return output;
    }
}
