package dev.wclayer.cli;

import dev.wclayer.WindowsDriver;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "remove", description = "Remove a layer that nothing uses.")
final class RemoveCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Option(names = "--force", description = "Unmount it first, whoever uses it.")
    private boolean force;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        driver.remove(id, force);
        if (output.wantsJson()) {
            output.json(Json.object("id", id));
        }
        return CommandLines.OK;
    }
}
