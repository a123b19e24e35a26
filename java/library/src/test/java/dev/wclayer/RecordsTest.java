package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import org.junit.jupiter.api.Test;

class RecordsTest {
    @Test
    void fileTimesAreExact() {
        assertThat(Records.fileTime(0, 0)).isEqualTo(Instant.parse("1601-01-01T00:00:00Z"));
        assertThat(Records.fileTime(116_444_736_000_000_000L, 0)).isEqualTo(Instant.EPOCH);
        assertThat(Records.fileTime(116_444_736_000_000_001L, 99)).isEqualTo(Instant.ofEpochSecond(0, 199));
        // What Go makes of a missing time (spec layer-formats §c.4).
        assertThat(Records.fileTime(48_491_090_211_286_549L, 0))
                .isEqualTo(Instant.parse("1754-08-30T22:43:41.1286549Z"));
        assertThat(Records.fileTime(-1, 0)).isEqualTo(Instant.parse("1600-12-31T23:59:59.9999999Z"));
        assertThat(Records.fileTime(Long.MAX_VALUE, 0)).isEqualTo(Instant.parse("+30828-09-14T02:48:05.4775807Z"));
    }
}
