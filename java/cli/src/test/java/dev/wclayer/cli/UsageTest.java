package dev.wclayer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What needs no home: help, wrong usage, defaults. */
class UsageTest extends CliTestCase {
    private static final List<String> COMMANDS = List.of(
            "quickstart",
            "create",
            "apply",
            "diff",
            "changes",
            "diff-size",
            "diff-path",
            "get",
            "put",
            "remove",
            "exists",
            "list",
            "status",
            "metadata",
            "base-images",
            "cleanup",
            "ls",
            "stat",
            "cat",
            "lint",
            "verify",
            "repair",
            "gc",
            "host-check");

    @Test
    void helpListsTheCommandsThatThereAre() {
        Outcome help = bare(new byte[0], "--help").done();
        List<String> listed = help.lines().stream()
                .dropWhile(line -> !line.startsWith("Commands:"))
                .skip(1)
                .filter(line -> line.matches("  \\S.*"))
                .map(line -> line.trim().split(" ", 2)[0])
                .toList();
        assertThat(listed).containsExactlyElementsOf(COMMANDS);
        assertThat(help.text()).contains("--home", "--driver", "--backend", "--json", "2 wrong usage");
    }

    @Test
    void everyCommandHasHelp() {
        for (String command : COMMANDS) {
            assertThat(bare(new byte[0], command, "--help").done().text())
                    .contains("Usage: wclayer " + command)
                    .contains("--json");
        }
    }

    @Test
    void versionIsPrinted() {
        assertThat(bare(new byte[0], "--version").done().text()).isEqualTo("wclayer 0.1.0\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "image",
                "build",
                "repair",
                "repair base",
                "gc --root",
                "frobnicate",
                "create",
                "create a b",
                "apply a",
                "diff",
                "diff a --compress lzma",
                "diff a --compress gzip:x",
                "diff a --compress none:1",
                "diff a --format cpio",
                "diff a --json",
                "cat a Files/x --json",
                "list --unknown",
                "--driver aufs list",
                "--backend hyperv list",
                "diff-path a",
                "base-images add",
                "base-images drop x",
                "base-images add a b",
                "exists"
            })
    void wrongUsageIsStatusTwoAndOneLine(String line) {
        String[] arguments = line.isEmpty() ? new String[0] : line.split(" ");
        Outcome outcome = run(arguments).ended(CommandLines.WRONG_USAGE);
        assertThat(outcome.out()).isEmpty();
        assertThat(folder.resolve("home")).as("nothing was opened").doesNotExist();
    }

    @Test
    void theHomeIsFoundAsDocumented() {
        assertThat(Wclayer.defaultHome(Map.of("WCLAYER_HOME", "/x"), true)).isEqualTo(Path.of("/x"));
        assertThat(Wclayer.defaultHome(Map.of("XDG_DATA_HOME", "/data"), true)).isEqualTo(Path.of("/var/lib/wclayer"));
        assertThat(Wclayer.defaultHome(Map.of("XDG_DATA_HOME", "/data"), false)).isEqualTo(Path.of("/data/wclayer"));
        Path inHome = Path.of(System.getProperty("user.home"), ".local", "share", "wclayer");
        assertThat(Wclayer.defaultHome(Map.of(), false)).isEqualTo(inHome);
        assertThat(Wclayer.defaultHome(Map.of("XDG_DATA_HOME", "relative"), false))
                .isEqualTo(inHome);
    }

    @Test
    void loneSurrogatesSurviveInTextAndJson() {
        assertThat(Output.wtf8("a\ud800b\ud83d\ude00")).isEqualTo(new byte[] {
            'a', (byte) 0xed, (byte) 0xa0, (byte) 0x80, 'b', (byte) 0xf0, (byte) 0x9f, (byte) 0x98, (byte) 0x80
        });
        assertThat(Output.wtf8("\u00e4")).isEqualTo("\u00e4".getBytes(StandardCharsets.UTF_8));
        assertThat(Output.escapeLoneSurrogates("\"a\udc01\ud83d\ude00\"")).isEqualTo("\"a\\udc01\ud83d\ude00\"");
        assertThat(Output.escapeLoneSurrogates("\"plain\"")).isEqualTo("\"plain\"");
    }
}
