{
  description = "Tmux plugin and helper that turn the coding agents in your panes into a team";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      version = "0.1.0";
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = build: nixpkgs.lib.genAttrs systems (system: build nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "tmux-swarm";
          inherit version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          nativeBuildInputs = [ pkgs.installShellFiles ];
          # The tests need tmux servers, processes of their own and time: the project's CI runs them.
          doCheck = false;
          postInstall = ''
            $out/bin/swarm man man
            installManPage man/*.1
            for shell in bash zsh fish; do $out/bin/swarm completions $shell >swarm.$shell; done
            installShellCompletion swarm.bash swarm.fish --zsh --name _swarm swarm.zsh
          '';
          meta.mainProgram = "swarm";
        };

        # For programs.tmux.plugins. The program is beside it, so nothing is installed and nothing is written into the store.
        tmuxPlugin = pkgs.tmuxPlugins.mkTmuxPlugin {
          pluginName = "swarm";
          rtpFilePath = "swarm.tmux";
          inherit version;
          src = self;
          postInstall = ''
            mkdir -p $target/bin
            ln -s ${default}/bin/swarm ${default}/bin/swarm-msg $target/bin/
            sed -i 's/@swarm-install auto/@swarm-install off/' $target/plugin/defaults.conf
          '';
        };
      });
    };
}
