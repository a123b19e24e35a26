package dev.wclayer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What a person with a Windows host runs, here on the portable store. */
class HostCheckTest extends CliTestCase {
    @Test
    void everythingWorksAndNothingIsLeft() throws IOException {
        Path report = folder.resolve("report.json");
        Outcome outcome = run("host-check", "--report", report.toString()).done();
        assertThat(outcome.lines()).last().isEqualTo("Everything worked.");
        JsonObject written = JsonParser.parseString(Files.readString(report)).getAsJsonObject();
        assertThat(written.get("ok").getAsBoolean()).isTrue();
        assertThat(written.get("fileSystem").getAsString()).isNotEmpty();
        JsonArray steps = written.getAsJsonArray("steps");
        assertThat(steps).hasSizeGreaterThan(20).allSatisfy(step -> {
            assertThat(outcome(step)).isEqualTo("ok");
            assertThat(outcome.text()).contains(name(step) + ": " + detail(step));
        });
        assertThat(steps).map(HostCheckTest::name).contains("Diff while mounted", "Cleanup");
        try (Stream<Path> left = Files.list(folder.resolve("home"))) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void whatFailsIsReportedAndWhatNeedsItIsSkipped() throws IOException {
        Path broken = Files.writeString(folder.resolve("broken.tar.gz"), "no archive at all");
        Outcome outcome = run("--json", "host-check", "--base", broken.toString());
        assertThat(outcome.status()).isEqualTo(1);
        JsonObject report = outcome.object();
        assertThat(report.get("ok").getAsBoolean()).isFalse();
        assertThat(report.getAsJsonArray("steps"))
                .anySatisfy(step -> {
                    assertThat(name(step)).isEqualTo("ApplyDiff of a base layer");
                    assertThat(outcome(step)).isEqualTo("failed");
                    assertThat(step.getAsJsonObject().get("code").getAsString()).isEqualTo("BadArchive");
                    assertThat(step.getAsJsonObject().get("hresult").getAsString())
                            .startsWith("0x");
                })
                .anySatisfy(step -> {
                    assertThat(name(step)).isEqualTo("Create of a writable layer");
                    assertThat(outcome(step)).isEqualTo("skipped");
                })
                .anySatisfy(step -> {
                    assertThat(name(step)).isEqualTo("Cleanup");
                    assertThat(outcome(step)).isEqualTo("ok");
                });
    }

    @Test
    void aBackendThatIsNotThereIsTheReport() throws IOException {
        Path report = folder.resolve("report.json");
        Outcome outcome = run("--backend", "system", "host-check", "--report", report.toString());
        assertThat(outcome.status()).isEqualTo(1);
        JsonElement opening = JsonParser.parseString(Files.readString(report))
                .getAsJsonObject()
                .getAsJsonArray("steps")
                .get(0);
        assertThat(name(opening)).isEqualTo("Open");
        assertThat(detail(opening)).contains("vmcompute.dll", "backend=portable");
    }

    private static String name(JsonElement step) {
        return step.getAsJsonObject().get("step").getAsString();
    }

    private static String outcome(JsonElement step) {
        return step.getAsJsonObject().get("outcome").getAsString();
    }

    private static String detail(JsonElement step) {
        return step.getAsJsonObject().get("detail").getAsString();
    }
}
