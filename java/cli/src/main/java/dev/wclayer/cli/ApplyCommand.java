package dev.wclayer.cli;

import com.google.gson.JsonObject;
import dev.wclayer.ApplyOptions;
import dev.wclayer.ApplyResult;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "apply", description = "Make a layer of a tar (plain, gzip or zstd).")
final class ApplyCommand extends LayerCommand {
    @Parameters(index = "0", paramLabel = "ID", description = "The layer.")
    private String id;

    @Parameters(index = "1", paramLabel = "FILE|-", description = "The tar; - for stdin.")
    private String file;

    @Option(
            names = "--parent",
            paramLabel = "P",
            description = "The layer below. Default: the one given to create, else none (a base layer).")
    private @Nullable String parent;

    @Option(
            names = "--expect-diff-id",
            paramLabel = "sha256:…",
            description = "The digest that the uncompressed tar must have; a layer there with it is left as it is.")
    private @Nullable String expectedDiffId;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        ApplyOptions options = ApplyOptions.DEFAULT;
        if (expectedDiffId != null) {
            options = options.withExpectedDiffId(expectedDiffId);
        }
        ApplyResult result;
        try (Progress progress = Progress.of("apply " + id)) {
            options = options.withProgress(progress);
            result = file.equals("-")
                    ? driver.applyDiff(id, parent, streams().in(), options)
                    : driver.applyDiff(id, parent, Path.of(file), options);
        }
        tell(id, result, streams(), output);
        return CommandLines.OK;
    }

    /** Prints what became of a tar. */
    static void tell(String id, ApplyResult result, Streams streams, Output output) throws IOException {
        for (String warning : result.warnings()) {
            streams.err().println("wclayer: warning: " + warning);
        }
        if (output.wantsJson()) {
            JsonObject object = Json.object("id", id);
            object.addProperty("sizeBytes", result.sizeBytes());
            object.addProperty("diffId", result.diffId());
            object.addProperty("blobDigest", result.blobDigest());
            object.addProperty("blobBytes", result.blobBytes());
            output.json(object);
        } else {
            output.line("id         " + id + (result.alreadyThere() ? " (was there already)" : ""));
            output.line("sizeBytes  " + result.sizeBytes());
            output.line("diffId     " + result.diffId());
            output.line("blobDigest " + result.blobDigest());
            output.line("blobBytes  " + result.blobBytes());
        }
    }
}
