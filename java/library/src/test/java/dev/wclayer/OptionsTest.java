package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OptionsTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "1048576, 1048576",
        "20GB, 21474836480",
        "127g, 136365211648",
        "512m, 536870912",
        "1KiB, 1024",
        "3 TB, 3298534883328",
        "7b, 7"
    })
    void sizesAreReadAsDockerReadsThem(String text, long bytes) throws LayerException {
        assertThat(CreateOptions.parseSize(text)).isEqualTo(bytes);
        assertThat(CreateOptions.of(Map.of("SIZE", text)).sizeBytes()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "GB", "-1", "1.5GB", "20XB", "99999999999999999999", "9000000p", "0x10", "\u0661"})
    void whatIsNoSizeIsRefused(String text) {
        assertThatThrownBy(() -> CreateOptions.parseSize(text))
                .isInstanceOf(InvalidLayerArgumentException.class)
                .hasMessageContaining("not a size: '" + text + "'");
    }

    @Test
    void unknownStorageOptionsNameTheKnownOne() {
        assertThatThrownBy(() -> CreateOptions.of(Map.of("speed", "fast")))
                .isInstanceOf(InvalidLayerArgumentException.class)
                .hasMessageContaining("'speed'")
                .hasMessageContaining("size");
        assertThatThrownBy(() -> new CreateOptions(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void backendsAreFoundByName() throws LayerException {
        for (Backend backend : Backend.values()) {
            assertThat(Backend.of(backend.text())).isSameAs(backend);
        }
        assertThatThrownBy(() -> Backend.of("hyperv"))
                .isInstanceOf(InvalidLayerArgumentException.class)
                .hasMessageContaining("auto, system or portable");
    }

    @Test
    void aTokenCancelsWhatRunsAndWhatComes() {
        CancellationToken token = new CancellationToken();
        List<String> stopped = new ArrayList<>();
        Runnable running = () -> stopped.add("running");
        Runnable done = () -> stopped.add("done");
        token.register(running);
        token.register(done);
        token.unregister(done);
        assertThat(token.isCancelled()).isFalse();
        token.cancel();
        token.cancel();
        token.register(() -> stopped.add("late"));
        assertThat(token.isCancelled()).isTrue();
        assertThat(stopped).containsExactly("running", "late");
    }

    @Test
    void optionsCarryEveryChange() {
        CancellationToken token = new CancellationToken();
        ProgressListener listener = (bytes, entries) -> {};
        DiffOptions diff = DiffOptions.DEFAULT
                .withFormat(ArchiveFormat.TRANSPORT)
                .withCompression(Compression.ZSTD, 7)
                .withThreads(3)
                .withRebuild(true)
                .withDigests(false)
                .withProgress(listener)
                .withCancellation(token);
        assertThat(diff)
                .isEqualTo(
                        new DiffOptions(ArchiveFormat.TRANSPORT, Compression.ZSTD, 7, 3, true, false, listener, token));
        ApplyOptions apply = ApplyOptions.DEFAULT
                .withExpectedDiffId("sha256:a")
                .withExpectedBlobDigest("sha256:b")
                .withOsVersion("10.0.20348")
                .withProgress(listener)
                .withCancellation(token);
        assertThat(apply).isEqualTo(new ApplyOptions("sha256:a", "sha256:b", "10.0.20348", listener, token));
    }
}
