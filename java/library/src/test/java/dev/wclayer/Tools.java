package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Programs of others: tar, bsdtar, python3. */
final class Tools {
    private Tools() {}

    /** What a command prints; it must end well and say nothing on stderr. */
    static byte[] run(Path folder, String... command) {
        return run(folder, Map.of(), List.of(command));
    }

    static byte[] run(Path folder, Map<String, String> environment, List<String> command) {
        try {
            Path errors = Files.createTempFile(folder, "stderr", ".txt");
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectError(errors.toFile())
                    .redirectInput(
                            ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
            builder.environment().putAll(Map.of("LC_ALL", "C.UTF-8", "TZ", "UTC"));
            builder.environment().putAll(environment);
            Process process = builder.start();
            byte[] output = process.getInputStream().readAllBytes();
            int status = process.waitFor();
            String said = Files.readString(errors);
            Files.delete(errors);
            assertThat(said).as("stderr of %s", command).isEmpty();
            assertThat(status).as("exit status of %s", command).isZero();
            return output;
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(interrupted);
        }
    }

    static List<String> lines(byte[] output) {
        return new String(output, StandardCharsets.UTF_8).lines().toList();
    }
}
