package dev.wclayer.benchmarks.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class OptionsTest {
    @Test
    void optionsAreUnderstood() throws Exception {
        Options options = Options.parse(
                List.of("--rows", "a,b:nano", "--rounds", "9", "--work", "/w", "--out", "/o", "--guard", "/g"),
                "quick");
        assertThat(options.rows()).containsExactly("a", "b:nano");
        assertThat(options.rounds()).isEqualTo(9);
        assertThat(options.work()).isEqualTo("/w");
        assertThat(options.out()).isEqualTo(Path.of("/o"));
        assertThat(options.guard()).isEqualTo(Path.of("/g"));
    }

    @Test
    void othersAreNamed() {
        refused("--speed", "--speed", "1");
        refused("--rounds", "--rounds", "4");
        refused("'x'", "--rounds", "x");
        refused("--rows", "--rows");
    }

    private static void refused(String named, String... words) {
        assertThatThrownBy(() -> Options.parse(List.of(words), "quick"))
                .isInstanceOf(Options.UsageException.class)
                .hasMessageContaining(named);
    }
}
