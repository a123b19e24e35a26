package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * C5, C14: the tars of other projects (spec oracle-cases §12), their entries moved below {@code Files/}: the same bytes
 * back, or an error that names entry, offset and cause and leaves nothing.
 */
class FixtureTarsTest extends DriverTestCase {
    private static final Path FIXTURES = Path.of("..", "..", "native", "test", "fixtures");

    private static final long MOST = 64 << 20;

    /** What is refused, and why. All others come back. */
    private static final Map<String, String> REFUSED = Map.ofEntries(
            Map.entry("tar-go/gnu-not-utf8.tar", "entry 0, header at byte 0: a name that is not UTF-8"),
            Map.entry("tar-go/pax-bad-hdr-file.tar", "entry 0, header at byte 0: extended header, record at byte 0"),
            Map.entry("tar-go/pax-bad-mtime-file.tar", "entry 0, header at byte 1024: time '999xxx9324.432432444444'"),
            Map.entry("tar-go/pax-global-records.tar", "entry 0, header at byte 0: a global extended header that sets"),
            Map.entry("tar-go/pax-nul-path.tar", "entry 0, header at byte 0: extended header, record at byte 0: a NUL"),
            Map.entry(
                    "tar-go/pax-nul-xattrs.tar", "entry 0, header at byte 0: extended header, record at byte 0: a NUL"),
            Map.entry("tar-go-winio/hdr-only.tar", "entry 1, header at byte 512: a FIFO"),
            Map.entry("tar-go-winio/issue10968.tar", "not a tar"),
            Map.entry("tar-go-winio/issue11169.tar", "truncated at byte 602, within an extended header"),
            Map.entry("tar-go-winio/issue12435.tar", "entry 0, header at byte 0: mode field"),
            Map.entry("tar-go-winio/neg-size.tar", "entry 0, header at byte 0: mode field"),
            Map.entry("tar-go-winio/pax-path-hdr.tar", "truncated at byte 1024, between an extended header and its"),
            Map.entry("tar-go-winio/writer-big.tar", "truncated at byte 4096, 3584 of 17179869184 bytes"),
            Map.entry("tar-go-winio/writer-big-long.tar", "truncated at byte 4096, 3584 of 17179869184 bytes"));

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    static Stream<String> fixtures() throws IOException {
        Set<String> names = new TreeSet<>();
        for (String set : new String[] {"tar-go", "tar-go-winio", "tar-moby"}) {
            try (Stream<Path> list = Files.list(FIXTURES.resolve(set))) {
                names.addAll(list.map(file -> set + "/" + file.getFileName()).collect(Collectors.toSet()));
            }
        }
        return names.stream();
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void comesBackOrIsRefusedWhole(String name) throws IOException {
        byte[] tar = Rehomed.below(Files.readAllBytes(FIXTURES.resolve(name)));
        WindowsDriver driver = open();
        var empty = StoreSnapshot.of(home);
        String refused = REFUSED.get(name);
        if (refused == null) {
            ApplyResult applied = driver.applyDiff("l", "", LayerTars.stream(tar));
            assertThat(read(driver.diff("l", ""))).isEqualTo(tar);
            assertThat(driver.diffSize("l", "")).isEqualTo(applied.sizeBytes());
            assertThat(driver.verify()).isEmpty();
            if (applied.sizeBytes() > MOST) { // written anew it would be all zeros
                return;
            }
            byte[] rebuilt = read(driver.diff("l", "", DiffOptions.DEFAULT.withRebuild(true)));
            driver.applyDiff("again", "", LayerTars.stream(rebuilt));
            assertThat(read(driver.diff("again", "", DiffOptions.DEFAULT.withRebuild(true))))
                    .isEqualTo(rebuilt);
            assertThat(driver.verify()).isEmpty();
            return;
        }
        assertThatThrownBy(() -> driver.applyDiff("l", "", LayerTars.stream(tar)))
                .isInstanceOf(LayerException.class)
                .hasMessageContaining(refused);
        assertThat(StoreSnapshot.of(home)).isEqualTo(empty);
    }

    @Test
    void everyRefusedOneIsThere() throws IOException {
        assertThat(fixtures()).containsAll(REFUSED.keySet()).hasSize(45);
    }

    /** As they are, most hold nothing of a layer's: the error says which entry, where, and why. */
    @ParameterizedTest
    @MethodSource("fixtures")
    void asItIsNoneIsALayer(String name) throws IOException {
        WindowsDriver driver = open();
        var empty = StoreSnapshot.of(home);
        byte[] tar = Files.readAllBytes(FIXTURES.resolve(name));
        assertThatThrownBy(() -> driver.applyDiff("l", "", LayerTars.stream(tar)))
                .isInstanceOf(LayerException.class)
                .hasMessageMatching("(?s).*(entry \\d+, header at byte \\d+|truncated at byte \\d+).*");
        assertThat(StoreSnapshot.of(home)).isEqualTo(empty);
    }
}
