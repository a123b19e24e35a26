package dev.wclayer.cli;

import dev.wclayer.ApplyOptions;
import dev.wclayer.ApplyResult;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "repair",
        description = "Mend a layer in place from the tar it was made of (plain, gzip or zstd). "
                + "Id, chain and children stay.")
final class RepairCommand extends LayerCommand {
    @Parameters(index = "0", paramLabel = "ID", description = "The layer.")
    private String id;

    @Parameters(index = "1", paramLabel = "FILE|-", description = "The tar; - for stdin.")
    private String file;

    @Option(
            names = "--expect-diff-id",
            paramLabel = "sha256:…",
            description = "The digest of the uncompressed tar; needed only where the layer's record is lost.")
    private @Nullable String expectedDiffId;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        ApplyOptions options = ApplyOptions.DEFAULT;
        if (expectedDiffId != null) {
            options = options.withExpectedDiffId(expectedDiffId);
        }
        ApplyResult result;
        try (Progress progress = Progress.of("repair " + id)) {
            options = options.withProgress(progress);
            result = file.equals("-")
                    ? driver.repair(id, streams().in(), options)
                    : driver.repair(id, Path.of(file), options);
        }
        ApplyCommand.tell(id, result, streams(), output);
        return CommandLines.OK;
    }
}
