package dev.wclayer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.wclayer.WindowsDriver;
import dev.wclayer.compress.WindowsLayerTarWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/** The example in README.md compiles and does what it says; docs/limits.md names every limit. */
class ReadmeTest extends CliTestCase {
    private static final Pattern EXAMPLE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

    @Test
    void theExampleRuns() throws Exception {
        Matcher matcher = EXAMPLE.matcher(Files.readString(Path.of("..", "..", "README.md")));
        assertThat(matcher.find()).isTrue();
        Path source = Files.writeString(folder.resolve("Example.java"), matcher.group(1));
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        Path library = Path.of(WindowsDriver.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        ByteArrayOutputStream messages = new ByteArrayOutputStream();
        int status = compiler.run(
                null,
                messages,
                messages,
                "-classpath",
                library.toString(),
                "-Xlint:all,-classfile,-path",
                "-proc:none",
                "-d",
                folder.toString(),
                source.toString());
        assertThat(messages.toString(StandardCharsets.UTF_8)).isEmpty();
        assertThat(status).isZero();

        Path tar = folder.resolve("base.tar");
        try (WindowsLayerTarWriter writer = new WindowsLayerTarWriter(Files.newOutputStream(tar), Instant.EPOCH)) {
            writer.file("Files/a.txt", new byte[] {'a'});
        }
        Path out = folder.resolve("out.tar");
        PrintStream stdout = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        try (URLClassLoader loader =
                        new URLClassLoader(new URL[] {folder.toUri().toURL()}, WindowsDriver.class.getClassLoader());
                PrintStream capture = new PrintStream(printed, true, StandardCharsets.UTF_8)) {
            System.setOut(capture);
            loader.loadClass("Example").getMethod("main", String[].class).invoke(null, (Object)
                    new String[] {folder.resolve("home").toString(), tar.toString(), out.toString()});
        } finally {
            System.setOut(stdout);
        }
        assertThat(printed.toString(StandardCharsets.UTF_8).lines())
                .anyMatch(line -> line.matches("sha256:[0-9a-f]{64} 1 bytes"))
                .contains("A Files/hello.txt");
        assertThat(out).isNotEmptyFile();
    }

    /** Every limit that the code names for input stands in docs/limits.md. */
    @Test
    void theTableOfLimitsIsComplete() throws IOException {
        Path root = Path.of("..", "..");
        String table = Files.readString(root.resolve("docs/limits.md"));
        List<String> names = new ArrayList<>();
        for (String header : List.of("native/src/base/limits.h", "native/src/tar/limits.h")) {
            Matcher matcher =
                    Pattern.compile("constexpr .*\\b(kMax\\w+) =").matcher(Files.readString(root.resolve(header)));
            while (matcher.find()) {
                names.add("`" + matcher.group(1) + "`");
            }
        }
        names.remove("`kMaxZstdWindowLog`"); // there by the option's name
        assertThat(names).hasSizeGreaterThan(20);
        assertThat(table).contains(names).contains("zstdWindowLog");
    }
}
