package dev.wclayer.cli;

import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "diff-path", description = "Write a layer's own content into a folder, in transport format.")
final class DiffPathCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Option(names = "--to", required = true, paramLabel = "DIR", description = "A new or empty folder.")
    private Path folder;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        Path to = folder.toAbsolutePath().normalize();
        driver.diffPathTo(id, to);
        if (output.wantsJson()) {
            output.json(Json.object("path", to.toString()));
        } else {
            output.line(to.toString());
        }
        return CommandLines.OK;
    }
}
